"""`await sandbox.drain()`: what runs, in which order, and what it tells."""

from __future__ import annotations

import asyncio
import sys
import traceback

import pytest

from defer_cli import DeferError, ExecutionFailed, assign_options, await_result, current_execution, defer
from defer_cli.testing import Drained, Sandbox
from tests.unit.testing.functions import (
    add,
    attempts,
    buy_then_fail,
    call_failing,
    call_from_thread,
    fail,
    fail_first,
    greet,
    greet_everyone,
    hang,
    interrupted,
    take_too_long,
    total,
    wait_for_tomorrow,
)


@pytest.fixture(autouse=True)
def _no_attempts() -> None:
    attempts.clear()


async def test_nothing_runs_before_the_drain(sandbox: Sandbox) -> None:
    greet("Ada")

    assert [one.state for one in sandbox.executions(greet)] == ["created"]


async def test_what_is_queued_runs_with_what_it_calls(sandbox: Sandbox) -> None:
    sandbox.trigger(greet_everyone)

    drained = await sandbox.drain()

    assert drained == Drained(succeed=4)
    assert [sandbox.result(one) for one in sandbox.executions(greet)] == [
        "Hello Ada.",
        "Hello Grace.",
        "Hello Katherine.",
    ]


def test_a_test_without_a_loop_drains_on_one_of_its_own(sandbox: Sandbox) -> None:
    call = greet("Ada")

    asyncio.run(sandbox.drain())

    assert sandbox.result(call) == "Hello Ada."


async def test_a_retry_is_followed_by_the_clock(sandbox: Sandbox) -> None:
    before = sandbox.clock.now
    call = fail_first(2)

    drained = await sandbox.drain()

    assert drained == Drained(succeed=1, retried=2)
    assert [(one.state, one.error and one.error.message) for one in sandbox.attempts(call)] == [
        ("failed", "the server refuses"),
        ("failed", "the server refuses"),
        ("succeed", None),
    ]
    assert (sandbox.clock.now - before).total_seconds() >= 15 + 22.5  # the least that Smart Retry waits


async def test_a_failure_without_a_retry_left_is_raised_with_what_the_function_raised(sandbox: Sandbox) -> None:
    fail("out of stock")

    with pytest.raises(ExecutionFailed, match="ValueError: out of stock") as caught:
        await sandbox.drain()

    raised = caught.value.__cause__
    assert isinstance(raised, ValueError)
    assert [frame.name for frame in traceback.extract_tb(raised.__traceback__)] == ["fail"]


async def test_a_failure_that_is_meant_is_only_counted(sandbox: Sandbox) -> None:
    call = fail("out of stock")

    assert await sandbox.drain(check=False) == Drained(failed=1)
    with pytest.raises(ExecutionFailed):
        sandbox.result(call)


async def test_all_retries_are_used_before_a_function_has_failed(sandbox: Sandbox) -> None:
    call = fail_first(99)

    with pytest.raises(ExecutionFailed) as caught:
        await sandbox.drain()

    assert len(sandbox.attempts(call)) == 4
    assert caught.value.__notes__ == ["This is what attempt 4 raised; no retry was left."]


async def test_several_failures_are_told_of(sandbox: Sandbox) -> None:
    fail("one")
    fail("two")

    with pytest.raises(ExecutionFailed) as caught:
        await sandbox.drain()

    assert caught.value.__notes__ == ["2 executions failed, this is the first."]


async def test_a_failure_that_another_function_awaited_is_its_own_to_handle(sandbox: Sandbox) -> None:
    call = call_failing()

    assert await sandbox.drain() == Drained(succeed=1, failed=1)
    assert sandbox.result(call) == "ExecutionFailed"


async def test_limits_of_concurrency_hold(sandbox: Sandbox) -> None:
    running: list[str] = []
    most = 0

    @defer(concurrency=2)
    async def count(name: str) -> None:
        nonlocal most
        running.append(name)
        most = max(most, len(running))
        await asyncio.sleep(0.001)
        running.remove(name)

    for name in "abcdef":
        count(name)
    await sandbox.drain()

    assert most == 2


async def test_parents_that_wait_for_children_do_not_block_them(sandbox: Sandbox) -> None:
    calls = [total(1, 2, 3), total(4, 5)]

    await sandbox.drain()

    assert [sandbox.result(call) for call in calls] == [6, 9]


async def test_a_parent_that_is_retried_finds_its_children(sandbox: Sandbox) -> None:
    call = buy_then_fail()

    await sandbox.drain()

    assert sandbox.result(call) == 3
    assert [sandbox.arguments(one)["number"] for one in sandbox.executions(add)] == [1, 2]


async def test_a_delayed_call_waits_for_the_test_to_move_the_clock(sandbox: Sandbox) -> None:
    call = assign_options(greet, delay="1h")("Ada")

    assert await sandbox.drain() == Drained(waiting=1)
    sandbox.clock.move("59 min")
    assert await sandbox.drain() == Drained(waiting=1)
    sandbox.clock.move("1 min")
    assert await sandbox.drain() == Drained(succeed=1)
    assert sandbox.result(call) == "Hello Ada."


async def test_a_delayed_call_that_a_function_awaits_moves_the_clock(sandbox: Sandbox) -> None:
    before = sandbox.clock.now
    call = wait_for_tomorrow()

    await sandbox.drain()

    assert sandbox.result(call) == "Hello tomorrow."
    assert (sandbox.clock.now - before).days == 1


async def test_what_lies_on_the_way_to_a_retry_happens_in_its_time(sandbox: Sandbox) -> None:
    order: list[str] = []

    @defer(retry={"initial_interval": 3600, "max_interval": 3600, "randomization_factor": 0})
    async def retried() -> None:
        order.append("retried")
        if len(order) == 1:
            raise ConnectionError

    @defer
    async def reminded() -> None:
        order.append("reminded")

    retried()
    late = assign_options(reminded, delay="2h")()
    soon = assign_options(reminded, delay="10 min")()
    await sandbox.drain()

    assert order == ["retried", "reminded", "retried"]
    assert [one.state for one in sandbox.executions(reminded)] == ["created", "succeed"]
    assert [late.id, soon.id] == [one.id for one in sandbox.executions(reminded)]


async def test_a_call_is_discarded_once_its_time_is_over(sandbox: Sandbox) -> None:
    call = assign_options(greet, delay="1h", discard_after="10 min")("Ada")

    sandbox.clock.move("10 min")

    assert await sandbox.drain() == Drained(discarded=1)
    assert [one.id for one in sandbox.executions(greet) if one.state == "discarded"] == [call.id]


async def test_one_key_is_one_execution(sandbox: Sandbox) -> None:
    for _ in range(2):
        assign_options(greet, key="weekly")("Ada")

    assert await sandbox.drain() == Drained(succeed=1)


async def test_max_duration_is_kept_by_the_real_clock(sandbox: Sandbox) -> None:
    take_too_long()

    with pytest.raises(ExecutionFailed, match="max_duration of 50 ms"):
        await sandbox.drain()


async def test_calls_from_threads_of_a_function_are_its_own(sandbox: Sandbox) -> None:
    call = call_from_thread()

    await sandbox.drain()

    assert sandbox.result(call) == "Hello thread."
    assert [one.parent for one in sandbox.executions(greet)] == [call.id]


async def test_who_waits_in_the_test_has_it_run(sandbox: Sandbox) -> None:
    assert await await_result(greet)("Ada") == "Hello Ada."
    with pytest.raises(ExecutionFailed, match="out of stock"):
        await await_result(fail)("out of stock")


async def test_who_waits_in_the_test_outlives_a_drain_that_is_cancelled(sandbox: Sandbox) -> None:
    begun = asyncio.Queue[int]()

    @defer
    async def pause() -> int:
        begun.put_nowait(current_execution().attempt)
        if current_execution().attempt == 1:
            await asyncio.Event().wait()
        return 7

    call = await_result(pause)()
    draining = asyncio.ensure_future(sandbox.drain())
    async with asyncio.timeout(20):
        await begun.get()
        waiting = asyncio.ensure_future(call)
        draining.cancel()

        assert await waiting == 7


def test_who_waits_without_a_loop_has_it_run(sandbox: Sandbox) -> None:
    assert await_result(assign_options(greet, delay="1h"))("Ada").wait(30) == "Hello Ada."


async def test_drains_at_once_take_turns(sandbox: Sandbox) -> None:
    total(1, 2)

    drained = await asyncio.gather(sandbox.drain(), sandbox.drain())

    assert drained == [Drained(succeed=3), Drained()]


async def test_a_drain_that_is_cancelled_leaves_what_ran_in_the_queue(sandbox: Sandbox) -> None:
    call = hang()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sandbox.drain(), 0.05)

    (left,) = sandbox.executions(hang)
    assert (left.id, left.state, left.charged) == (call.id, "created", 0)
    assert [one.outcome for one in sandbox.attempts(call)] == ["interrupt"]


def test_ctrl_c_in_a_function_ends_the_drain(sandbox: Sandbox) -> None:
    interrupted()

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(sandbox.drain())


async def test_the_loop_and_the_streams_are_as_they_were(sandbox: Sandbox) -> None:
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory(), sys.stdout, sys.stderr
    greet("Ada")

    await sandbox.drain()

    assert (loop.get_task_factory(), sys.stdout, sys.stderr) == before


def test_a_drain_needs_a_loop(sandbox: Sandbox) -> None:
    drain = sandbox.drain()

    with pytest.raises(DeferError, match=r"asyncio\.run\(sandbox\.drain\(\)\)"):
        drain.send(None)


async def test_a_function_cannot_drain(sandbox: Sandbox) -> None:
    @defer(retry=False)
    async def drain_inside() -> None:
        await sandbox.drain()

    drain_inside()

    with pytest.raises(ExecutionFailed, match="inside a background function"):
        await sandbox.drain()
