"""Calls that type checkers must refuse: every line marked `# wrong`, and no other."""

# pyright: strict

from __future__ import annotations

from defer_cli import (
    Filters,
    Interval,
    Page,
    add_metadata,
    assign_options,
    await_result,
    cancel_execution,
    defer,
    delay,
    get_execution,
    list_execution_attempts,
    list_executions,
    rerun_execution,
    reschedule_execution,
)


async def plain(user_id: int, *, text: str = "") -> str:
    return text * user_id


async def no_parameters() -> None: ...


def sync(user_id: int) -> None: ...


compute = defer(plain)
weekly = defer.cron(no_parameters, "@daily")

defer(sync)  # wrong
defer(compute)  # wrong
defer(plain, retry="often")  # wrong
defer(plain, retry={"attempts": 3})  # wrong
defer(plain, concurrency="3")  # wrong
defer(plain, max_duration=None)  # wrong
defer(plain, max_concurrency_action="drop")  # wrong
defer(plain, alert="never")  # wrong
defer(plain, timeout=3)  # wrong
defer(plain, catch_up="none")  # wrong
defer(plain, 3)  # wrong
defer("0 8 * * MON")  # wrong

defer.cron(plain, "@daily")  # wrong
defer.cron(no_parameters)  # wrong
defer.cron("@daily", no_parameters)  # wrong
defer.cron(no_parameters, "@daily", catch_up="all")  # wrong
defer.cron(sync, "@daily")  # wrong

compute()  # wrong
compute("1")  # wrong
compute(1, "a")  # wrong
compute(1, user_name="a")  # wrong
weekly()  # wrong

assign_options(plain, key="k")  # wrong
assign_options(weekly, key="k")  # wrong
assign_options(compute, key=1)  # wrong
assign_options(compute, priority=1)  # wrong
assign_options(compute, key="k")("1")  # wrong
add_metadata(compute, {"a": 1})  # wrong
delay(compute, None)  # wrong
delay(compute, 5)()  # wrong
await_result(plain)  # wrong
await_result(weekly)  # wrong
await_result(compute)("1")  # wrong


async def use() -> None:
    number: int = await await_result(compute)(1)  # wrong
    text: str = await compute(1)  # wrong
    print(number, text)


async def ask(id: str) -> None:
    await get_execution()  # wrong
    await get_execution(1)  # wrong
    await get_execution(compute(1))  # wrong
    await list_executions({"first": 1})  # wrong
    await list_executions(Filters())  # wrong
    await list_executions(filters={"states": ["failed"]})  # wrong
    await list_execution_attempts()  # wrong
    Page(1)  # wrong
    Page(first="1")  # wrong
    Page(after=1)  # wrong
    Page(size=1)  # wrong
    Filters(states=[1])  # wrong
    Filters(metadata={"user": 1})  # wrong
    Filters(scheduled_at="1h")  # wrong
    Filters(state=["failed"])  # wrong
    Interval("1h")  # wrong
    Interval(from_="1h")  # wrong
    for execution in await list_executions():
        print(execution.result)  # wrong
        execution.state = "failed"  # wrong


async def change(id: str) -> None:
    await cancel_execution(id, True)  # wrong
    await cancel_execution(id, force="yes")  # wrong
    await cancel_execution([id])  # wrong
    await reschedule_execution(id, [1])  # wrong
    await rerun_execution(None)  # wrong
    text: str = await rerun_execution(id)  # wrong
    print(text)
