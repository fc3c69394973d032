"""W1: calls from another process, delayed by an hour so that nothing runs; all on disk, FULL."""

from __future__ import annotations

from benchmarks.harness import Row, median, project, run_script, runner, spread, wait_until_ready

NOOP = """from defer_cli import defer

@defer
async def noop(n: int) -> None: ...
"""

_ONE = """
import asyncio, sys, time
sys.path.insert(0, "src")
from defer_cli import assign_options
from defer.noop import noop

async def main(count):
    later = assign_options(noop, delay="1h")
    await later(-1)
    began = time.perf_counter()
    for n in range(count):
        await later(n)
    print(count / (time.perf_counter() - began))

asyncio.run(main({count}))
"""

_GATHERED = """
import asyncio, sys, time
sys.path.insert(0, "src")
from defer_cli import assign_options
from defer.noop import noop

async def main(count):
    later = assign_options(noop, delay="1h")
    await later(-1)
    began = time.perf_counter()
    await asyncio.gather(*[later(n) for n in range(count)])
    print(count / (time.perf_counter() - began))

asyncio.run(main({count}))
"""


def rate(script: str, count: int) -> float:
    """Return calls a second of one script against a fresh runner."""
    with project({"noop": NOOP}) as made, runner(made, "--workers", "2"):
        wait_until_ready(made)
        return float(run_script(made, script.replace("{count}", str(count))))


def measure(runs: int, single_commits: float) -> list[Row]:
    """Return the rows of W1."""
    one = [rate(_ONE, 3_000) for _ in range(runs)]
    gathered = [rate(_GATHERED, 20_000) for _ in range(runs)]
    return [
        Row(
            "W1a",
            "enqueue, one awaited call at a time",
            f"{median(one):,.0f}/s",
            spread(one),
            f"{median(one) / single_commits:.2f} of raw single commits",
            "≥ 1,800/s, then 3,500/s",
        ),
        Row(
            "W1b", "enqueue, gathered", f"{median(gathered):,.0f}/s", spread(gathered), "", "≥ 30,000/s, then 60,000/s"
        ),
    ]
