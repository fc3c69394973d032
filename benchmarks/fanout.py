"""W4: one call that fans out; and how fast 10,000 calls made inside a function are on disk."""

from __future__ import annotations

from benchmarks.harness import (
    Row,
    median,
    project,
    run_script,
    runner,
    span_seconds,
    spread,
    wait_for,
    wait_until_ready,
)
from defer_cli.domain.states import State
from defer_cli.store.sqlite.reader import open_reader

_CHILD = """import asyncio
from defer_cli import defer

@defer
async def child(n: int) -> None:
    await asyncio.sleep(0.2)
"""
_PARENT = """from defer_cli import defer
from .child import child

@defer
async def parent(count: int) -> None:
    for n in range(count):
        child(n)
"""
_STORING = """import time
from defer_cli import assign_options, defer
from .child import child

@defer
async def storing(count: int) -> float:
    later = assign_options(child, delay="1h")
    began = time.perf_counter()
    calls = [later(n) for n in range(count)]
    for call in calls:
        await call
    return time.perf_counter() - began
"""
_CALL = """
import sys
sys.path.insert(0, "src")
from defer.{name} import {name}
{name}({count})
"""


def fan_out_seconds(slots: int = 1_000, count: int = 2_000) -> float:
    """Return the time from the start of the parent to the end of the last child."""
    with project({"child": _CHILD, "parent": _PARENT}) as made, runner(made, "--workers", "2", "--slots", str(slots)):
        wait_until_ready(made)
        run_script(made, _CALL.format(name="parent", count=count))
        reader = open_reader(made.data / "defer.db")
        wait_for(lambda: reader.counts().get(("child", State.SUCCEED), 0) == count, "the last child")
        seconds = span_seconds(reader, "child", count, since="parent")
        reader.close()
        return seconds


def storing_seconds(count: int = 10_000) -> float:
    """Return the time from the first of ``count`` calls in a function to all of them on disk."""
    with project({"child": _CHILD, "storing": _STORING}) as made, runner(made, "--workers", "2"):
        wait_until_ready(made)
        script = _CALL.format(name="storing", count=count).replace(f"storing({count})", "") + (
            f"import asyncio\nfrom defer_cli import await_result\n"
            f"async def main():\n    print(await await_result(storing)({count}))\nasyncio.run(main())\n"
        )
        return float(run_script(made, script))


def measure(runs: int) -> list[Row]:
    """Return the rows of W4."""
    out = [fan_out_seconds() for _ in range(runs)]
    stored = [storing_seconds() for _ in range(runs)]
    return [
        Row(
            "W4",
            "2,000 children of 0.2 s, 1,000 slots",
            f"{median(out):.2f} s",
            spread(out, digits=2),
            f"{median(out) / 0.2:.1f} of the sleep itself",
            "≤ 0.5 s, then 0.32 s",
        ),
        Row(
            "W4",
            "10,000 calls in a function, all on disk",
            f"{median(stored):.2f} s",
            spread(stored, digits=2),
            "",
            "≤ 0.5 s",
        ),
    ]
