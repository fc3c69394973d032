"""Functions that tests of the sandbox call, defined as a user's are: at the top of a module."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from defer_cli import assign_options, await_result, current_execution, defer

attempts: list[int] = []
"""The attempts of ``fail_first``, to be cleared by each test."""
log = logging.getLogger("shop")


@defer
async def greet(name: str, *, loud: bool = False) -> str:
    """Greet somebody."""
    print(f"greeting {name}")
    return f"Hello {name}{'!' if loud else '.'}"


@defer.cron("0 8 * * MON")
async def greet_everyone() -> int:
    """Greet three people."""
    for name in ("Ada", "Grace", "Katherine"):
        greet(name)
    return 3


@defer(retry=3)
async def fail_first(times: int) -> int:
    """Fail in the first ``times`` attempts."""
    attempts.append(current_execution().attempt)
    log.warning("attempt %s", len(attempts))
    if len(attempts) <= times:
        raise ConnectionError("the server refuses")
    return len(attempts)


@defer(retry=False)
async def fail(why: str) -> None:
    """Fail, whatever happens."""
    raise ValueError(why)


@defer(retry=False)
async def call_failing() -> str:
    """Handle the failure of another function."""
    try:
        await await_result(fail)("handled")
    except Exception as error:
        return type(error).__name__
    return "no error"


@defer(concurrency=1)
async def add(number: int) -> int:
    """Return a number, one execution at a time."""
    await asyncio.sleep(0)
    return number


@defer(concurrency=1)
async def total(*numbers: int) -> int:
    """Add numbers up, each in an execution of its own."""
    return sum(await asyncio.gather(*(await_result(add)(number) for number in numbers)))


@defer(retry=2)
async def buy_then_fail() -> int:
    """Fail once between two steps."""
    first = await await_result(add)(1)
    if current_execution().attempt == 1:
        raise ConnectionError("between two steps")
    return first + await await_result(add)(2)


@defer
async def wait_for_tomorrow() -> str:
    """Wait for a call that is delayed by a day."""
    return await await_result(assign_options(greet, delay="1 day"))("tomorrow")


@defer(retry=False)
async def hang() -> None:
    """Run until cancelled."""
    await asyncio.Event().wait()


@defer(max_duration=0.05, retry=False)
async def take_too_long() -> None:
    """Run longer than allowed."""
    await asyncio.Event().wait()


@defer(max_duration=0.05, retry=False)
async def never_end() -> None:
    """Run longer than allowed, and ignore being told so."""
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    await asyncio.sleep(0.5)


@defer
async def interrupted() -> None:
    """Be where Ctrl-C is pressed."""
    raise KeyboardInterrupt


@defer
async def call_from_thread() -> str:
    """Call from a thread of the function's own context."""
    return await asyncio.to_thread(lambda: await_result(greet)("thread").wait(10))
