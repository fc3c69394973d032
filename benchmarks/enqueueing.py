"""W1: calls from another process, delayed by an hour so that nothing runs; all on disk, FULL."""

from __future__ import annotations

from benchmarks.harness import Project, Row, median, project, run_script, runner, spread, wait_until_ready

NOOP = """from defer_cli import defer

@defer
async def noop(n: int) -> None: ...
"""

_AT_ONCE = 20_000
_SCRIPT = """
import asyncio, sys, time
sys.path.insert(0, "src")
from defer_cli import assign_options
from defer.noop import noop

async def one_at_a_time(later, count):
    for n in range(count):
        await later(n)

async def in_a_loop(later, count):
    for call in [later(n) for n in range(count)]:
        await call

async def gathered(later, count):
    await asyncio.gather(*[later(n) for n in range(count)])

async def main():
    later = assign_options(noop, delay="1h")
    await later(-1)
    began = time.perf_counter()
    await {how}(later, {count})
    print({count} / (time.perf_counter() - began))

asyncio.run(main())
"""


def rate(how: str, count: int) -> float:
    """Return calls a second against a fresh runner."""
    with project({"noop": NOOP}) as made, runner(made, "--workers", "2"):
        wait_until_ready(made)
        return calls_per_second(made, how, count)


def calls_per_second(made: Project, how: str, count: int) -> float:
    """Return calls a second against a runner that is there."""
    return float(run_script(made, _SCRIPT.replace("{count}", str(count)).replace("{how}", how)))


def measure(runs: int, single_commits: float) -> list[Row]:
    """Return the rows of W1."""
    one = [rate("one_at_a_time", 3_000) for _ in range(runs)]
    pairs = [(rate("in_a_loop", _AT_ONCE), rate("gathered", _AT_ONCE)) for _ in range(runs)]
    looped, gathered = zip(*pairs, strict=True)
    goal = "≥ 30,000/s, then 60,000/s"
    return [
        Row(
            "W1a",
            "enqueue, one awaited call at a time",
            f"{median(one):,.0f}/s",
            spread(one),
            f"{median(one) / single_commits:.2f} of raw single commits",
            "≥ 1,800/s, then 3,500/s",
        ),
        Row("W1b", "enqueue, in a loop and then awaited", f"{median(looped):,.0f}/s", spread(looped), "", goal),
        Row("W1b", "enqueue, gathered", f"{median(gathered):,.0f}/s", spread(gathered), "", goal),
    ]
