"""What a test sees of executions, through the sandbox and through the library's own questions and changes."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from defer_cli import (
    ExecutionNotCancellable,
    ExecutionNotFound,
    ExecutionResultNotAvailableYet,
    Filters,
    assign_options,
    cancel_execution,
    current_execution,
    defer,
    defer_enabled,
    get_execution,
    get_execution_result,
    list_execution_attempts,
    list_executions,
    rerun_execution,
    reschedule_execution,
)
from defer_cli.testing import Drained, Sandbox
from tests.unit.testing.functions import attempts, fail_first, greet, greet_everyone


async def test_executions_are_listed_in_the_order_of_their_calls(sandbox: Sandbox) -> None:
    calls = [greet(str(number)) for number in range(600)]

    assert [one.id for one in sandbox.executions(greet)] == [call.id for call in calls]
    assert len(sandbox.executions()) == 600
    assert sandbox.executions(greet_everyone) == []


async def test_arguments_are_shown_by_the_names_of_the_parameters(sandbox: Sandbox) -> None:
    call = greet("Ada", loud=True)

    assert sandbox.arguments(call) == {"name": "Ada", "loud": True}


async def test_the_log_of_an_execution_is_what_it_printed_and_logged_in_all_attempts(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    attempts.clear()
    first, second = greet("Ada"), fail_first(1)

    await sandbox.drain()

    assert sandbox.log(first) == "greeting Ada"
    assert sandbox.log(second) == "WARNING shop: attempt 1\nWARNING shop: attempt 2"
    assert capsys.readouterr().out == "greeting Ada\n"
    assert caplog.messages == ["attempt 1", "attempt 2"]
    told = [(record.__dict__["execution_id"], record.__dict__["attempt"]) for record in caplog.records]
    assert told == [(second.id, 1), (second.id, 2)]


async def test_a_long_log_is_there_as_soon_as_the_drain_is_over(sandbox: Sandbox) -> None:
    @defer
    async def print_much() -> None:
        for number in range(10_000):
            print(number, "x" * 90)

    calls = [print_much() for _ in range(3)]
    await sandbox.drain()

    assert [sandbox.log(call).count("\n") for call in calls] == [9_999] * 3


async def test_a_function_knows_its_execution(sandbox: Sandbox) -> None:
    @defer(max_duration="5 min")
    async def look() -> list[str]:
        here = current_execution()
        return [here.id, here.function, here.metadata["customer"], here.deadline.isoformat()]

    call = assign_options(look, metadata={"customer": "12"})()
    await sandbox.drain()

    deadline = sandbox.clock.now + timedelta(minutes=5)
    assert sandbox.result(call) == [call.id, "look", "12", deadline.isoformat()]


async def test_the_questions_of_the_library_are_answered(sandbox: Sandbox) -> None:
    attempts.clear()
    call = assign_options(fail_first, metadata={"customer": "12"})(1)
    with pytest.raises(ExecutionResultNotAvailableYet):
        await get_execution_result(call.id)

    await sandbox.drain()

    assert (await get_execution(call.id)).state == "succeed"
    assert await get_execution_result(call.id) == 2
    assert len(await list_execution_attempts(call.id)) == 2
    assert len(await list_executions(filters=Filters(metadata={"customer": ["12"]}))) == 1
    assert len(await list_executions(filters=Filters(metadata={"customer": ["13"]}))) == 0
    assert defer_enabled()


async def test_what_waits_can_be_cancelled_rescheduled_and_run_again(sandbox: Sandbox) -> None:
    cancelled, delayed = greet("Ada"), assign_options(greet, delay="1 day")("Grace")

    await cancel_execution(cancelled.id)
    await reschedule_execution(delayed.id, "1h")
    again = await rerun_execution(cancelled.id)
    sandbox.clock.move("1h")

    assert await sandbox.drain() == Drained(succeed=2)
    assert [(one.id, one.state) for one in sandbox.executions(greet)] == [
        (cancelled.id, "cancelled"),
        (delayed.id, "succeed"),
        (again.id, "succeed"),
    ]
    with pytest.raises(ExecutionNotCancellable):
        await cancel_execution(delayed.id)


async def test_a_span_counts_from_the_clock_of_the_sandbox(sandbox: Sandbox) -> None:
    sandbox.clock.move("1 day")
    execution = await assign_options(greet, delay="1h")("Ada")
    moved = await reschedule_execution(execution.id, "2h")

    assert execution.created_at == sandbox.clock.now
    assert execution.scheduled_at - sandbox.clock.now == timedelta(hours=1)
    assert moved.scheduled_at - sandbox.clock.now == timedelta(hours=2)


async def test_what_runs_can_be_aborted(sandbox: Sandbox) -> None:
    begun = asyncio.Event()

    @defer
    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    call = hang()
    draining = asyncio.ensure_future(sandbox.drain())
    async with asyncio.timeout(20):
        await begun.wait()
        await cancel_execution(call.id, force=True)

        assert await draining == Drained(aborted=1)


async def test_an_execution_of_another_test_is_not_found(sandbox: Sandbox) -> None:
    with pytest.raises(ExecutionNotFound):
        sandbox.result("01kb3m0000000000000000000a")
