"""W3: from the call in another process to the first line of the function, on an idle runner.

The function begins while its call is synced, and its caller is told after the sync (decision 27).
"""

from __future__ import annotations

import json

from benchmarks.harness import Row, median, percentile, project, run_script, runner, spread, wait_until_ready
from benchmarks.raw import synced_writes_ms

FIRST_LINE = """import time
from defer_cli import defer

@defer
async def first_line(called_ns: int) -> int:
    return time.time_ns() - called_ns
"""

_COUNT = 200
_CALLS = """
import asyncio, json, sys, time
sys.path.insert(0, "src")
from defer_cli import await_result
from defer.first_line import first_line

async def main():
    for _ in range(20):
        await await_result(first_line)(time.time_ns())
    waits = []
    for _ in range({count}):
        await asyncio.sleep({pause})
        waits.append(await await_result(first_line)(time.time_ns()))
    print(json.dumps(waits))

asyncio.run(main())
"""


def waits_ms(count: int, pause: float) -> list[float]:
    """Return the latency of each of ``count`` calls, in milliseconds."""
    with project({"first_line": FIRST_LINE}) as made, runner(made, "--workers", "2"):
        wait_until_ready(made)
        script = _CALLS.replace("{count}", str(count)).replace("{pause}", str(pause))
        return [nanoseconds / 1e6 for nanoseconds in json.loads(run_script(made, script))]


def measure(runs: int) -> list[Row]:
    """Return the rows of W3."""
    rows = []
    for what, pause in (("a call each 50 ms", 0.05), ("back to back", 0.0)):
        every = [waits_ms(_COUNT, pause) for _ in range(runs)]
        p50 = [percentile(waits, 0.5) for waits in every]
        p99 = [percentile(waits, 0.99) for waits in every]
        synced = median([percentile(synced_writes_ms(_COUNT, pause), 0.5) for _ in range(runs)])
        rows.append(
            Row(
                "W3",
                f"call to first line, {what}",
                f"p50 {median(p50):.2f} ms, p99 {median(p99):.2f} ms",
                f"p50 {spread(p50, digits=2)}, p99 {spread(p99, digits=2)}",
                f"{median(p50) / synced:.1f} of a page written and synced so ({synced:.2f} ms)",
                "≤ 2.5 / 6 ms, then 1.4 / 3 ms",
            )
        )
    return rows
