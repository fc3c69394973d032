"""The rules of the handle, by their numbers in the library's documentation."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import threading
import time
from collections.abc import Awaitable, Coroutine
from typing import Any

import pytest

from defer_cli.client import delivery, process
from defer_cli.client.calls import Call
from defer_cli.client.routes import never_wait_here
from defer_cli.domain.enqueue import Stored
from defer_cli.domain.errors import ArgumentError, CallRefused, StoreError, Unconfirmed
from defer_cli.domain.states import State
from defer_cli.link.frames import Enqueued, Enqueues, Failure
from defer_cli.link.inbox import list_entries, read_entry
from defer_cli.link.project import DataFolder
from tests.unit.client.calling import call, in_thread, refuse
from tests.unit.client.conftest import Function
from tests.unit.client.fake_runner import DEADLINE_SECONDS, FakeRunner, store


async def test_calls_that_nobody_awaits_are_sent_while_the_loop_is_busy(compute: Function, runner: FakeRunner) -> None:
    """Rule 1."""
    handle = call(compute, 1)
    runner.until(lambda seen: bool(seen.calls))  # blocks the loop

    assert runner.calls[0].id == handle.id


async def test_calls_that_come_during_a_commit_share_the_next(compute: Function, runner: FakeRunner) -> None:
    """Rule 1."""
    held = threading.Event()
    runner.answer = lambda frame: (held.wait(DEADLINE_SECONDS), store(frame))[1]
    handles = [call(compute, number) for number in range(5_000)]
    runner.until(lambda seen: bool(seen.calls))
    held.set()
    await asyncio.gather(*handles)

    sizes = [len(frame.calls) for frame in runner.frames if isinstance(frame, Enqueues)]
    assert max(sizes) == 1_000


def test_a_frame_stays_under_four_mebibytes(compute: Function, runner: FakeRunner) -> None:
    """Rule 1."""

    async def main() -> None:
        await asyncio.gather(*[call(compute, "x" * 900_000) for _ in range(9)])

    asyncio.run(main())

    assert len(runner.calls) == 9


def test_without_a_loop_a_call_returns_once_it_is_on_disk(compute: Function, runner: FakeRunner) -> None:
    """Rule 2."""
    handle = call(compute, 1)

    assert repr(handle) == f"<Call of compute, id {handle.id}: stored; await it directly>"


def test_without_a_loop_a_call_that_gets_no_answer_says_it_is_unknown(
    compute: Function, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 2."""
    monkeypatch.setattr("defer_cli.client.calls.LONGEST_WAIT_SECONDS", 0.01)
    runner.answer = lambda frame: None

    with pytest.raises(Unconfirmed, match="unknown whether stored; id "):
        call(compute, 1)


async def test_a_call_in_to_thread_blocks_that_thread_only(compute: Function, runner: FakeRunner) -> None:
    """Rule 2."""
    handle = await asyncio.to_thread(call, compute, 1)

    assert "stored" in repr(handle)


async def test_beyond_ten_thousand_unanswered_calls_the_next_waits(compute: Function, runner: FakeRunner) -> None:
    """Rule 3."""
    held = threading.Event()
    runner.answer = lambda frame: (held.wait(DEADLINE_SECONDS), store(frame))[1]
    handles = [call(compute, number) for number in range(10_000)]
    extra: list[Call] = []
    thread = threading.Thread(target=lambda: extra.append(call(compute, 0)), daemon=True)
    assert process.sender().is_full

    thread.start()
    held.set()
    await asyncio.gather(*handles)
    await asyncio.to_thread(thread.join, DEADLINE_SECONDS)

    assert len(extra) == 1


async def test_a_call_that_finds_no_room_in_time_is_refused(
    compute: Function, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 3."""
    runner.answer = lambda frame: None
    monkeypatch.setattr("defer_cli.client.sender.LONGEST_WAIT_SECONDS", 0.01)
    for number in range(10_000):
        call(compute, number)

    with pytest.raises(CallRefused, match="10,000 calls got no answer"):
        call(compute, 0)


async def test_a_handle_may_be_awaited_twice(compute: Function, runner: FakeRunner) -> None:
    """Rule 4."""
    handle = call(compute, 1)

    assert await handle == await handle


async def test_a_handle_may_be_awaited_by_two_tasks_and_shielded(compute: Function, runner: FakeRunner) -> None:
    """Rule 4."""
    handle = call(compute, 1)

    first, second, third = await asyncio.gather(handle, asyncio.ensure_future(handle), asyncio.shield(handle))

    assert first == second == third


async def test_a_handle_may_be_awaited_in_another_thread_and_loop(compute: Function, runner: FakeRunner) -> None:
    """Rule 4."""
    held = threading.Event()
    runner.answer = lambda frame: (held.wait(DEADLINE_SECONDS), store(frame))[1]
    handle = call(compute, 1)

    async def elsewhere() -> Any:
        asyncio.get_running_loop().call_soon(held.set)
        return await handle

    there = await asyncio.to_thread(lambda: asyncio.run(elsewhere()))

    assert there == await handle


async def test_create_task_with_a_handle_names_the_mend(compute: Function, runner: FakeRunner) -> None:
    """Rule 4."""
    runner.answer = lambda frame: None
    handle = call(compute, 1)

    with pytest.raises(TypeError, match=f"<Call of compute, id {handle.id}: on its way; await it directly>"):
        asyncio.create_task(handle)  # type: ignore[arg-type]  # noqa: RUF006  # that is the claim


async def test_a_handle_is_an_awaitable_and_no_coroutine(compute: Function, runner: FakeRunner) -> None:
    """Rule 4."""
    handle = call(compute, 1)

    assert isinstance(handle, Awaitable)
    assert not isinstance(handle, Coroutine)


async def test_cancelling_an_await_does_not_recall_the_call(compute: Function, runner: FakeRunner) -> None:
    """Rule 5."""
    held = threading.Event()
    runner.answer = lambda frame: (held.wait(DEADLINE_SECONDS), store(frame))[1]
    handle = call(compute, 1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await handle
    held.set()

    assert (await handle).id == handle.id


def test_wait_is_the_blocking_form(compute: Function, runner: FakeRunner) -> None:
    """Rule 6."""
    held = threading.Event()
    runner.answer = lambda frame: (held.wait(DEADLINE_SECONDS), store(frame))[1]

    async def main() -> Call:
        return call(compute, 1)

    handle = asyncio.run(main())
    held.set()

    assert handle.wait().state is State.CREATED


async def test_wait_gives_up_after_its_timeout(compute: Function, runner: FakeRunner) -> None:
    """Rule 6."""
    runner.answer = lambda frame: None
    handle = call(compute, 1)

    with pytest.raises(Unconfirmed, match=handle.id):
        handle.wait(timeout=0)


async def test_a_refusal_is_raised_freshly_for_each_waiter(compute: Function, runner: FakeRunner) -> None:
    """Rule 7."""
    runner.answer = refuse
    handle = call(compute, 1)

    waiters = [asyncio.ensure_future(handle) for _ in range(2)]
    first, second = await asyncio.gather(*waiters, return_exceptions=True)

    assert isinstance(first, CallRefused)
    assert isinstance(second, CallRefused)
    assert first is not second


async def test_refusals_that_nobody_listened_to_are_logged_in_one_line(
    compute: Function, runner: FakeRunner, caplog: pytest.LogCaptureFixture
) -> None:
    """Rule 7."""
    held = threading.Event()
    runner.answer = lambda frame: (held.wait(DEADLINE_SECONDS), refuse(frame))[1]
    for number in range(3):
        call(compute, number)
    heard = call(compute, 3)
    held.set()
    with pytest.raises(CallRefused):
        await heard
    assert process.sender().drain(DEADLINE_SECONDS) == 0
    del heard
    gc.collect()

    logged = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert sum(int(line.split()[0]) for line in logged) == 3
    assert all("the key is taken" in line for line in logged)
    assert len(logged) <= sum(isinstance(frame, Enqueues) for frame in runner.frames)


async def test_a_failing_store_refuses_with_its_own_error(compute: Function, runner: FakeRunner) -> None:
    """Rule 7."""
    runner.answer = lambda frame: Failure(frame.number, "StoreError", "the disk is full", None, "make room")

    with pytest.raises(StoreError, match="the disk is full"):
        await call(compute, 1)


async def test_arguments_are_refused_before_anything_is_sent(compute: Function, runner: FakeRunner) -> None:
    """Rule 10."""
    with pytest.raises(ArgumentError, match="object is not JSON"):
        call(compute, object())
    with pytest.raises(ArgumentError):
        call(compute)
    await call(compute, 1)

    assert len(runner.calls) == 1


def test_a_signal_handler_may_call_while_a_call_is_made(compute: Function, runner: FakeRunner) -> None:
    """Rule 11."""
    made: list[Call] = []

    def interrupt(*_: object) -> None:
        made.append(call(compute, 0))
        signal.setitimer(signal.ITIMER_REAL, 0.0002)  # only now: a slow machine would interrupt the interruption

    before = signal.signal(signal.SIGALRM, interrupt)

    async def main() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.0002)
        try:
            while len(made) < 50:
                await asyncio.gather(*[call(compute, number) for number in range(50)])
        finally:
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
        await asyncio.gather(*made)

    try:
        asyncio.run(main())
    finally:
        signal.signal(signal.SIGALRM, before)

    assert {one.id for one in made} <= {one.id for one in runner.calls}


def test_a_call_made_on_a_thread_that_brings_answers_never_waits(compute: Function, runner: FakeRunner) -> None:
    """Rule 11."""
    runner.answer = lambda frame: None

    def work() -> Call:
        never_wait_here()
        return call(compute, 1)

    assert "on its way" in repr(in_thread(work))


def test_while_the_interpreter_closes_the_callers_thread_sends(compute: Function, runner: FakeRunner) -> None:
    """Rule 11."""
    process.sender().drain(0)
    assert call(compute, 1).id == runner.calls[0].id


def test_while_the_interpreter_closes_and_no_runner_lives_the_inbox_takes_calls(
    compute: Function, folder: DataFolder
) -> None:
    """Rule 11."""
    process.sender().drain(0)

    handle = call(compute, 1)

    (name,) = list_entries(folder)
    assert read_entry(folder, name)[0].id == handle.id


async def test_a_key_that_is_held_gives_the_execution_it_made(compute: Function, runner: FakeRunner) -> None:
    runner.answer = lambda frame: Enqueued(
        frame.number, 5, [Stored(one.id, False, "succeed", 2, 1, 2, 3) for one in frame.calls]
    )

    found = await call(compute.with_options(key="weekly"), 1)

    assert (found.state, found.attempt) == (State.SUCCEED, 2)


async def test_options_count_from_the_call(compute: Function, runner: FakeRunner) -> None:
    await call(compute.with_options(delay="1h", discard_after="2h", metadata={"a": "b"}), 1)

    (sent,) = runner.calls
    assert sent.scheduled_us == sent.called_us + 3_600_000_000
    assert sent.discard_us == sent.called_us + 7_200_000_000
    assert sent.metadata == {"a": "b"}


async def test_equal_calls_outside_a_function_are_two(compute: Function, runner: FakeRunner) -> None:
    assert (await call(compute, 1)).id != (await call(compute, 1)).id


def test_ids_made_in_a_row_differ_and_stand_in_order_of_time(compute: Function, runner: FakeRunner) -> None:
    async def main() -> list[str]:
        return [call(compute, 1).id for _ in range(2_000)]

    ids = asyncio.run(main())

    assert len(set(ids)) == 2_000
    assert [one[:9] for one in ids] == sorted(one[:9] for one in ids)


async def test_a_handle_left_behind_by_a_fork_says_it_is_unknown(
    compute: Function, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 9."""
    runner.answer = lambda frame: None
    handle = call(compute, 1)
    monkeypatch.setattr(delivery, "_generation", delivery._generation + 1)

    with pytest.raises(Unconfirmed, match="before this process was forked"):
        await handle


def test_the_drain_counts_what_is_not_confirmed(compute: Function, runner: FakeRunner) -> None:
    """Rule 9."""
    runner.answer = lambda frame: None

    async def main() -> None:
        for number in range(3):
            call(compute, number)

    asyncio.run(main())

    assert process.sender().drain(0) == 3


def test_the_error_at_exit_names_how_many_are_unconfirmed(
    compute: Function, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Rule 9."""
    runner.answer = lambda frame: None
    monkeypatch.setattr(process, "DRAIN_SECONDS", 0.0)

    async def main() -> None:
        for number in range(3):
            call(compute, number)

    asyncio.run(main())
    process.drain()

    assert "3 call(s) are unconfirmed" in caplog.text


def test_a_call_travels_with_the_time_it_was_made(compute: Function, runner: FakeRunner) -> None:
    before = time.time_ns() // 1000
    call(compute, 1)

    assert before <= runner.calls[0].called_us <= time.time_ns() // 1000
