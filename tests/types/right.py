"""Calls that type checkers must accept, with the types they must see."""

# pyright: strict

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from defer_cli import (
    Attempt,
    BackgroundFunction,
    Call,
    CronFunction,
    Duration,
    Execution,
    ExecutionError,
    ExecutionFailed,
    ExecutionNotCancellable,
    Filters,
    Interval,
    Listing,
    Page,
    PageInfo,
    ResultCall,
    Retry,
    RetryFields,
    RetryPolicy,
    State,
    When,
    add_metadata,
    assign_options,
    await_result,
    cancel_execution,
    current_execution,
    defer,
    defer_enabled,
    delay,
    discard_after,
    get_execution,
    get_execution_result,
    list_execution_attempts,
    list_executions,
    rerun_execution,
    reschedule_execution,
)


@defer
async def bare(user_id: int, *, text: str = "") -> str:
    return text * user_id


@defer(retry=5, concurrency=20, max_duration="5 min", max_concurrency_action="cancel", alert=False)
async def optioned(user_id: int) -> None: ...


@defer()
async def empty() -> list[int]:
    return []


async def plain(first: float, second: bool = True) -> int:
    return int(first) if second else 0


called = defer(plain, retry=RetryPolicy(max_attempts=3), max_duration=timedelta(minutes=1), concurrency=None)
with_fields = defer(plain, retry={"max_attempts": 3, "multiplier": 2})


@defer.cron("0 8 * * MON", catch_up="none", retry=False, alert=True)
async def weekly() -> None: ...


async def nightly() -> int:
    return 1


default = defer.cron(nightly, "5 0 * * *", max_duration=3600)

fields: RetryFields = {"initial_interval": 1.5}
retries: list[Retry] = [True, 3, RetryPolicy(), fields]
durations: list[Duration] = ["1h", 5, 1.5, timedelta(hours=1)]
moments: list[When] = ["1h", datetime.now(UTC)]


async def use() -> None:
    assert_type(weekly, CronFunction[None])
    assert_type(default, CronFunction[int])
    assert_type(empty, BackgroundFunction[[], list[int]])

    handle = bare(1, text="a")
    assert_type(handle, Call)
    assert_type(await handle, Execution)
    assert_type(handle.id, str)
    assert_type(handle.wait(timeout=5), Execution)
    optioned(user_id=1)
    called(1.5, second=False)
    with_fields(1)
    empty()

    copied = assign_options(bare, delay="5 min", discard_after=moments[0], metadata={"user": "1"}, key="k")
    assert_type(copied(1), Call)
    delay(bare, timedelta(minutes=5))(1, text="b")
    discard_after(bare, datetime.now(UTC))(1)
    add_metadata(bare, {"a": "b"})(1)

    result = await_result(bare)(1, text="c")
    assert_type(result, ResultCall[str])
    assert_type(await result, str)
    assert_type(await await_result(called)(2), int)

    assert_type(await bare.fn(1), str)
    assert_type(bare.name, str)
    assert_type(await weekly.fn(), None)
    assert_type(current_execution().attempt, int)
    assert_type(defer_enabled(), bool)


async def ask(id: str) -> None:
    execution = await get_execution(id)
    assert_type(execution, Execution)
    assert_type(execution.state, State)
    assert_type(execution.started_at, datetime | None)
    assert_type(execution.metadata, dict[str, str])
    assert_type(execution.rerun_of, str | None)
    assert_type(await get_execution_result(id), Any)

    page = Page(first=10, after="c1")
    filters = Filters(
        states=["created", State.STARTED],
        functions=("bare",),
        error_codes=[],
        scheduled_at=Interval(from_=datetime.now(UTC)),
        started_at=Interval(to=datetime.now(UTC)),
        metadata={"user": ["1", "2"]},
        executed_by="host-1",
        came_from=["call"],
        parent=id,
    )
    listing = await list_executions(page, filters)
    assert_type(listing, Listing[Execution])
    assert_type(listing.items, list[Execution])
    assert_type([one.function for one in listing], list[str])
    assert_type(len(listing), int)
    assert_type(listing.page_info, PageInfo)
    assert_type(listing.page_info.end_cursor, str | None)
    await list_executions()
    await list_executions(filters=filters)
    await list_executions(Page(last=5, before=listing.page_info.start_cursor))

    attempts = await list_execution_attempts(id, page=Page(first=1), filters=None)
    assert_type(attempts, Listing[Attempt])
    assert_type(attempts.items[0].number, int)
    assert_type(attempts.items[0].error, ExecutionError | None)


async def change(id: str) -> None:
    assert_type(await cancel_execution(id), Execution)
    assert_type(await cancel_execution(id, force=True), Execution)
    assert_type(await rerun_execution(id), Execution)
    assert_type(await reschedule_execution(id), Execution)
    for when in (None, "1h", 5, 1.5, timedelta(hours=1), datetime.now(UTC)):
        await reschedule_execution(id, when)
    try:
        await cancel_execution(bare(1).id)
    except ExecutionNotCancellable as error:
        assert_type(error.state, str | None)
        assert_type(error.mend, str | None)
    except ExecutionFailed as error:
        assert_type(error.remote_traceback, str | None)
