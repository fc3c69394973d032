"""`make bench`: every workload and the raw limits in one run, as a table."""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from benchmarks import (
    api,
    backlog,
    console,
    crons,
    enqueueing,
    fanout,
    idle,
    latency,
    paging,
    raw,
    retention,
    starting,
    throughput,
)
from benchmarks.harness import Row, median, spread


def main() -> None:
    """Run the workloads asked for and print them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="*", metavar="W", help="workloads to run, e.g. W2 W3; all by default")
    parser.add_argument("--runs", type=int, default=5, help="runs of each; medians are shown")
    asked = parser.parse_args()

    talk = Console(stderr=True)
    talk.print("raw limits …")
    singles = [raw.single_commits_per_second() for _ in range(asked.runs)]
    rows = [Row("raw", "SQLite, single-row commits, FULL", f"{median(singles):,.0f}/s", spread(singles))]
    workloads: dict[str, Callable[[], Iterable[Row]]] = {
        "W1": lambda: enqueueing.measure(asked.runs, median(singles)),
        "W2": lambda: throughput.measure(asked.runs),
        "W3": lambda: latency.measure(asked.runs),
        "W4": lambda: fanout.measure(asked.runs),
        "W5": lambda: idle.measure(asked.runs),
        "W6": lambda: backlog.measure(asked.runs),
        "W7": lambda: crons.measure(asked.runs),
        "W8": lambda: starting.measure(asked.runs),
        "W9": lambda: paging.measure(asked.runs),
        "W10": lambda: api.measure(asked.runs),
        "W11": lambda: console.measure(asked.runs),
        "W12": lambda: retention.measure(asked.runs),
    }
    try:
        for name, measure in workloads.items():
            if asked.only and name not in asked.only:
                continue
            talk.print(f"{name} …")
            rows.extend(measure())
    finally:  # what was measured is shown, whatever stops the rest
        Console(width=None if sys.stdout.isatty() else 160).print(_table(rows, asked.runs))


def _table(rows: list[Row], runs: int) -> Table:
    title = (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()},"
        f" SQLite {sqlite3.sqlite_version}, medians of {runs}"
    )
    table = Table("workload", "what", "median", "min-max", "ratio", "goal", title=title)
    for row in rows:
        table.add_row(row.workload, row.what, row.value, row.spread, row.ratio, row.goal)
    return table


if __name__ == "__main__":
    main()
