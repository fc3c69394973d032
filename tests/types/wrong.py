"""Calls that type checkers must refuse: every line marked `# wrong`, and no other."""

# pyright: strict

from __future__ import annotations

from defer_cli import add_metadata, assign_options, await_result, defer, delay


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
