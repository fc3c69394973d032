"""Calls made inside a function: whose they are, which ids they get, what their refusal means."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from defer_cli.client.calls import Call, make_call
from defer_cli.client.context import AttemptScope, current_execution, current_scope, scope_here
from defer_cli.domain.enqueue import Refused
from defer_cli.domain.errors import ArgumentError, CallRefused, DeferError
from defer_cli.domain.ids import call_hash, child_id, keyed_id
from defer_cli.link.frames import Enqueued, Enqueues
from tests.unit.client.conftest import Function
from tests.unit.client.fake_runner import DEADLINE_SECONDS, FakeRunner, store

PARENT = "01hzx3v9k2m4n6p8q0r2s4t6v8"


def scope(**given: Any) -> AttemptScope:
    entered = AttemptScope(id=PARENT, function="parent", attempt=1, deadline_us=60_000_000, **given)
    current_scope.set(entered)
    return entered


def call(fn: Function, *args: Any, **kwargs: Any) -> Call:
    return make_call(fn, args, kwargs)


def refuse(frame: Any) -> Any:
    return Enqueued(frame.number, 1, [Refused(one.id, "no") for one in frame.calls]) if frame.calls else None


def refusing(wanted: Callable[[bytes], bool]) -> Callable[[Any], Any]:
    def answer(frame: Any) -> Any:
        if not isinstance(frame, Enqueues):
            return store(frame)
        return Enqueued(
            frame.number, 1, [Refused(one.id, "no") if wanted(one.arguments) else None for one in frame.calls]
        )

    return answer


async def test_success_waits_until_all_calls_are_on_disk(compute: Function, runner: FakeRunner) -> None:
    """Rule 8."""
    held = threading.Event()
    runner.answer = lambda frame: (held.wait(DEADLINE_SECONDS), store(frame))[1]
    here = scope()
    for number in range(2_500):
        call(compute, number)
    settled = asyncio.ensure_future(here.settled())
    await asyncio.sleep(0)
    assert not settled.done()

    held.set()
    await settled

    assert len(runner.calls) == 2_500
    assert not here.has_calls


async def test_calls_of_child_tasks_and_to_thread_belong_to_the_function(compute: Function, runner: FakeRunner) -> None:
    """Rule 8."""
    scope()

    async def child() -> None:
        call(compute, 1)

    await asyncio.create_task(child())
    await asyncio.to_thread(call, compute, 2)
    await asyncio.to_thread(runner.until, lambda seen: len(seen.calls) == 2)

    assert [one.parent for one in runner.calls] == [PARENT, PARENT]


async def test_calls_of_bare_threads_belong_to_nobody(compute: Function, runner: FakeRunner) -> None:
    scope()
    thread = threading.Thread(target=call, args=(compute, 1))
    thread.start()
    await asyncio.to_thread(thread.join, DEADLINE_SECONDS)

    assert runner.calls[0].parent is None


async def test_an_unheard_refusal_fails_the_execution(compute: Function, runner: FakeRunner) -> None:
    """Rule 8."""
    runner.answer = refuse
    here = scope()
    call(compute, 1)

    with pytest.raises(CallRefused, match="no"):
        await here.settled()


async def test_of_many_unheard_refusals_the_first_is_raised_with_their_number(
    compute: Function, runner: FakeRunner
) -> None:
    """Rule 8."""
    runner.answer = refuse
    here = scope()
    for number in range(3):
        call(compute, number)

    with pytest.raises(CallRefused) as raised:
        await here.settled()
    assert raised.value.__notes__ == ["3 calls made in parent() were refused, this is the first"]


async def test_a_refusal_that_was_caught_is_handled(compute: Function, runner: FakeRunner) -> None:
    """Rule 8."""
    runner.answer = refusing(lambda arguments: arguments == b"[1]")
    here = scope()
    with pytest.raises(CallRefused):
        await call(compute, 1)
    await call(compute, 2)

    await here.settled()


async def test_a_handle_as_result_is_refused_with_the_mend(compute: Function, runner: FakeRunner) -> None:
    """Rule 8."""
    here = scope()

    with pytest.raises(ArgumentError, match=r"return compute\(x\).id"):
        here.refuse_call_as_result(call(compute, 1))
    here.refuse_call_as_result({"plain": "data"})


async def test_a_rerun_of_the_parent_makes_the_same_ids(compute: Function, runner: FakeRunner) -> None:
    scope()
    first = [call(compute, 1).id, call(compute, 1).id, call(compute, 2).id]
    scope()
    again = [call(compute, 1).id, call(compute, 1).id, call(compute, 2).id]

    assert first == again
    assert len(set(first)) == 3


async def test_arguments_are_compared_as_bound(compute: Function, runner: FakeRunner) -> None:
    scope()
    by_position = call(compute, {"a": 1, "b": 2}, 5).id
    scope()
    by_name = call(compute, {"b": 2, "a": 1}, other=5).id

    assert by_position == by_name


async def test_long_arguments_are_told_apart(compute: Function, runner: FakeRunner) -> None:
    here = scope()
    call(compute, "x" * 1_000)
    call(compute, "y" * 1_000)
    await here.settled()

    assert [one.call_hash for one in runner.calls] == [
        call_hash("compute", f'["{letter * 1_000}"]'.encode(), 0) for letter in "xy"
    ]


async def test_marked_children_are_made_anew(compute: Function, runner: FakeRunner) -> None:
    hashed = call_hash("compute", b"[1]", 0)
    scope(marked={hashed: 2})

    assert call(compute, 1).id == child_id(PARENT, hashed, 2)


async def test_a_key_beats_the_parent(compute: Function, runner: FakeRunner) -> None:
    here = scope()
    handle = call(compute.with_options(key="weekly"), 1)
    await here.settled()

    assert handle.id == keyed_id("compute", "weekly")
    assert runner.calls[0].parent == PARENT


async def test_equal_calls_from_many_threads_get_ids_of_their_own(compute: Function, runner: FakeRunner) -> None:
    here = scope()

    def many() -> list[str]:
        return [here.child("compute", b"[1]", None)[0] for _ in range(200)]

    found = await asyncio.gather(*[asyncio.to_thread(many) for _ in range(8)])

    assert len({id for ids in found for id in ids}) == 1_600


def test_the_running_execution_tells_about_itself() -> None:
    scope(metadata=b'{"user":"12"}')
    found = current_execution()

    assert (found.id, found.function, found.attempt) == (PARENT, "parent", 1)
    assert found.metadata == {"user": "12"}
    assert found.deadline.isoformat() == "1970-01-01T00:01:00+00:00"


def test_outside_a_function_there_is_no_running_execution() -> None:
    current_scope.set(None)

    with pytest.raises(DeferError, match="outside a background function"):
        current_execution()


def test_a_forked_process_has_left_the_function() -> None:
    """Rule 9."""
    here = scope()
    here.pid += 1

    assert scope_here() is None
