"""W5: what a runner with five crons costs while nothing is to do."""

from __future__ import annotations

import time

from benchmarks.harness import Row, cpu_seconds, family, median, project, resident_mb, runner, spread, wait_until_ready

_CRON = """from defer_cli import defer

@defer.cron("0 0 1 1 *")
async def cron_{number}() -> None: ...
"""


def idle(seconds: float = 20.0) -> tuple[float, float]:
    """Return CPU seconds a minute, and MB of memory, over all processes."""
    crons = {f"cron_{number}": _CRON.format(number=number) for number in range(5)}
    with project(crons) as made, runner(made, "--workers", "2") as process:
        wait_until_ready(made)
        time.sleep(2.0)  # what starting costs is not idling
        pids = family(process.pid)
        before, began = cpu_seconds(pids), time.monotonic()
        time.sleep(seconds)
        used = (cpu_seconds(pids) - before) / (time.monotonic() - began) * 60
        return used, resident_mb(pids)


def measure(runs: int) -> list[Row]:
    """Return the row of W5."""
    every = [idle() for _ in range(min(runs, 3))]
    cpu, memory = [used for used, _ in every], [held for _, held in every]
    return [
        Row(
            "W5",
            "idle: 5 crons, 2 workers",
            f"{median(cpu):.2f} s CPU a minute, {median(memory):.0f} MB",
            f"{spread(cpu, digits=2)} s, {spread(memory)} MB",
            "",
            "≤ 0.2 s, ≤ 150 MB, then 0.1 s, 130 MB",
        )
    ]
