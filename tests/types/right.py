"""Calls that type checkers must accept, with the types they must see."""

# pyright: strict

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import assert_type

from defer_cli import (
    BackgroundFunction,
    Call,
    CronFunction,
    Duration,
    Execution,
    ResultCall,
    Retry,
    RetryFields,
    RetryPolicy,
    When,
    add_metadata,
    assign_options,
    await_result,
    current_execution,
    defer,
    defer_enabled,
    delay,
    discard_after,
)


@defer
async def bare(user_id: int, *, text: str = "") -> str:
    return text * user_id


@defer(retry=5, concurrency=20, max_duration="5 min", max_concurrency_action="cancel")
async def optioned(user_id: int) -> None: ...


@defer()
async def empty() -> list[int]:
    return []


async def plain(first: float, second: bool = True) -> int:
    return int(first) if second else 0


called = defer(plain, retry=RetryPolicy(max_attempts=3), max_duration=timedelta(minutes=1), concurrency=None)
with_fields = defer(plain, retry={"max_attempts": 3, "multiplier": 2})


@defer.cron("0 8 * * MON", catch_up="none", retry=False)
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
