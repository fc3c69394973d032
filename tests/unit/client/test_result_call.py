"""The handle of `await_result`: rule 12, and what a child that did not succeed raises."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from msgspec import Struct

from defer_cli.client.calls import ResultCall, make_result_call
from defer_cli.client.lanes import lane_for
from defer_cli.client.shipments import LongWait, Shipment
from defer_cli.domain.errors import ExecutionFailed, NoRunner
from defer_cli.link.frames import Ended, Unwait, Wait
from defer_cli.link.inbox import list_entries
from defer_cli.link.project import DataFolder
from tests.unit.client.conftest import Function
from tests.unit.client.fake_runner import FakeRunner, store


async def test_a_result_call_gives_what_the_function_returned(compute: Function, runner: FakeRunner) -> None:
    """Rule 12."""
    assert await make_result_call(compute, (1,), {}) == 42


async def test_two_result_calls_are_enqueued_before_either_is_awaited(compute: Function, runner: FakeRunner) -> None:
    """Rule 12."""
    first, second = make_result_call(compute, (1,), {}), make_result_call(compute, (2,), {})
    runner.until(lambda seen: len(seen.calls) == 2)

    assert [await first, await second] == [42, 42]


class Desk:
    """Notes which shipments are over."""

    def __init__(self) -> None:
        self.are_over: list[Shipment] = []

    def again(self, shipment: Shipment, /) -> None:
        raise AssertionError(shipment)

    def over(self, shipment: Shipment, /) -> None:
        self.are_over.append(shipment)


def deaf(frame: Any) -> Struct | None:
    """Answer as a runner in which no execution ever ends."""
    return None if isinstance(frame, Wait) else store(frame)


def count(runner: FakeRunner, kind: type[Struct]) -> int:
    return sum(isinstance(frame, kind) for frame in list(runner.frames))


async def cancelled(waiting: asyncio.Future[Any]) -> None:
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_cancelled_wait_is_told_to_the_runner_and_leaves_the_child_alone(
    compute: Function, runner: FakeRunner
) -> None:
    """Rule 12."""
    runner.answer = deaf
    handle = make_result_call(compute, (1,), {})
    waiting = asyncio.ensure_future(handle)
    await asyncio.to_thread(runner.until, lambda seen: count(seen, Wait) > 0)
    await cancelled(waiting)
    await asyncio.to_thread(runner.until, lambda seen: count(seen, Unwait) > 0)
    (wait,) = (frame for frame in runner.frames if isinstance(frame, Wait))
    (unwait,) = (frame for frame in runner.frames if isinstance(frame, Unwait))

    assert unwait.number == wait.number


async def test_a_handle_whose_wait_was_cut_can_be_awaited_again(compute: Function, runner: FakeRunner) -> None:
    """Rule 12."""
    runner.answer = deaf
    handle = make_result_call(compute, (1,), {})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(handle, 0.01)
    runner.answer = store

    assert await handle == 42


async def test_a_wait_is_cut_when_the_last_of_its_waiters_has_gone(compute: Function, runner: FakeRunner) -> None:
    """Rule 12."""
    runner.answer = deaf
    handle = make_result_call(compute, (1,), {})
    first, second = asyncio.ensure_future(handle), asyncio.ensure_future(handle)
    await asyncio.to_thread(runner.until, lambda seen: count(seen, Wait) > 0)
    await cancelled(first)
    runner.answer = store
    await make_result_call(compute, (2,), {})  # what the first would have sent has arrived before this
    one = count(runner, Unwait)
    await cancelled(second)
    await asyncio.to_thread(runner.until, lambda seen: count(seen, Unwait) > 0)

    assert (one, count(runner, Unwait)) == (0, 1)


async def test_a_wait_cut_before_it_was_sent_is_never_sent(compute: Function, runner: FakeRunner) -> None:
    """Rule 12."""
    handle = make_result_call(compute, (1,), {})
    await handle
    desk = Desk()
    wait = LongWait(lane_for(compute.file), desk, lambda number: Wait(number, handle.id), "tell an end")
    wait.leave()
    wait.send()

    assert wait.is_cut
    assert (desk.are_over, count(runner, Wait), count(runner, Unwait)) == ([wait], 1, 0)


async def test_somebody_who_comes_while_the_wait_is_cut_asks_anew(
    compute: Function, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 12."""
    runner.answer = deaf
    handle = make_result_call(compute, (1,), {})
    waiting = asyncio.ensure_future(handle)
    await asyncio.to_thread(runner.until, lambda seen: count(seen, Wait) > 0)
    ask = ResultCall._ask_for_end
    gone: list[LongWait] = []

    def slow(call: ResultCall[Any]) -> LongWait:
        end = ask(call)
        if not gone:  # between this and its wait, the other one leaves
            gone.append(end)
            end.waiters.clear()
            end.leave()
            runner.answer = store
        return end

    monkeypatch.setattr(ResultCall, "_ask_for_end", slow)

    assert await handle == 42
    await cancelled(waiting)


async def test_a_failed_child_raises_with_its_error_and_traceback(compute: Function, runner: FakeRunner) -> None:
    """Rule 12."""
    error = b'{"code":"ER0003","type":"KeyError","message":"\'x\'","traceback":"Traceback ...","location":"a.py:3"}'
    runner.answer = lambda frame: (
        Ended(frame.number, frame.id, "failed", None, error) if isinstance(frame, Wait) else store(frame)
    )

    with pytest.raises(ExecutionFailed, match="a.py:3: compute, id .*, failed: KeyError: 'x'") as raised:
        await make_result_call(compute, (1,), {})
    assert raised.value.remote_traceback == "Traceback ..."


async def test_a_failure_of_a_childs_child_is_told_with_its_own_place_and_no_other(
    compute: Function, runner: FakeRunner
) -> None:
    """Rule 12."""
    inner = ExecutionFailed(
        "b, id 2, failed: ValueError: x", execution_id="2", state="failed", where="b.py:1", mend="y"
    )
    error = json.dumps(
        {
            "code": "ER0003",
            "type": "defer_cli.domain.errors.ExecutionFailed",
            "message": str(inner),
            "traceback": "Traceback ...\n",
            "location": "a.py:3",
        }
    )
    runner.answer = lambda frame: (
        Ended(frame.number, frame.id, "failed", None, error.encode()) if isinstance(frame, Wait) else store(frame)
    )
    handle = make_result_call(compute, (1,), {})
    with pytest.raises(ExecutionFailed) as raised:
        await handle

    assert str(raised.value) == f"compute, id {handle.id}, failed: b.py:1: b, id 2, failed: ValueError: x; y"
    assert (raised.value.remote_message, raised.value.error_code) == (str(inner), "ER0003")
    assert raised.value.__notes__ == ["\nWhat compute raised:\nTraceback ..."]


@pytest.mark.parametrize("state", ["cancelled", "aborted", "discarded"])
async def test_a_child_that_ended_otherwise_raises_too(compute: Function, runner: FakeRunner, state: str) -> None:
    """Rule 12."""
    runner.answer = lambda frame: Ended(frame.number, frame.id, state) if isinstance(frame, Wait) else store(frame)

    with pytest.raises(ExecutionFailed, match=f"was {state}") as raised:
        await make_result_call(compute, (1,), {})
    assert raised.value.state == state


def test_a_result_call_has_a_blocking_form(compute: Function, runner: FakeRunner) -> None:
    """Rule 12."""
    assert make_result_call(compute, (1,), {}).wait() == 42


def test_the_blocking_form_gives_up_after_its_timeout(compute: Function, runner: FakeRunner) -> None:
    """Rule 12."""
    runner.answer = lambda frame: None if isinstance(frame, Wait) else store(frame)

    with pytest.raises(TimeoutError, match="has not ended within 0 s"):
        make_result_call(compute, (1,), {}).wait(timeout=0)
    runner.until(lambda seen: count(seen, Unwait) > 0)


async def test_a_result_cannot_be_awaited_without_a_runner_but_its_call_is_stored(
    compute: Function, folder: DataFolder
) -> None:
    """Rule 12."""
    with pytest.raises(NoRunner, match="which is stored"):
        await make_result_call(compute, (1,), {})
    assert len(list_entries(folder)) == 1
