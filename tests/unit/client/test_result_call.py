"""The handle of `await_result`: rule 12, and what a child that did not succeed raises."""

from __future__ import annotations

import asyncio

import pytest

from defer_cli.client.calls import make_result_call
from defer_cli.domain.errors import ExecutionFailed, NoRunner
from defer_cli.link.frames import Ended, Wait
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


async def test_cancelling_the_wait_for_a_result_does_not_cancel_the_child(
    compute: Function, runner: FakeRunner
) -> None:
    """Rule 12."""
    runner.answer = lambda frame: None if isinstance(frame, Wait) else store(frame)
    handle = make_result_call(compute, (1,), {})
    waiting = asyncio.ensure_future(handle)
    await asyncio.to_thread(runner.until, lambda seen: any(isinstance(frame, Wait) for frame in seen.frames))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    wait = next(frame for frame in runner.frames if isinstance(frame, Wait))
    runner.reply(Ended(wait.number, wait.id, "succeed", b"7"))

    assert await handle == 7


async def test_a_failed_child_raises_with_its_error_and_traceback(compute: Function, runner: FakeRunner) -> None:
    """Rule 12."""
    error = b'{"code":"ER0003","type":"KeyError","message":"\'x\'","traceback":"Traceback ...","location":"a.py:3"}'
    runner.answer = lambda frame: (
        Ended(frame.number, frame.id, "failed", None, error) if isinstance(frame, Wait) else store(frame)
    )

    with pytest.raises(ExecutionFailed, match="a.py:3: compute, id .*, failed: KeyError: 'x'") as raised:
        await make_result_call(compute, (1,), {})
    assert raised.value.remote_traceback == "Traceback ..."


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


async def test_a_result_cannot_be_awaited_without_a_runner_but_its_call_is_stored(
    compute: Function, folder: DataFolder
) -> None:
    """Rule 12."""
    with pytest.raises(NoRunner, match="which is stored"):
        await make_result_call(compute, (1,), {})
    assert len(list_entries(folder)) == 1
