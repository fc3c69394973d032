"""W9: a page of 50 executions out of 1,000,000, with every filter by itself and with several together."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.crowd import Crowd, combinations, each_filter
from benchmarks.harness import Row, median
from defer_cli.domain.paging import Filters
from defer_cli.store.contract import Reader
from defer_cli.store.sqlite.reader import open_reader

_SIZE = 50


def page_ms(reader: Reader, filters: Filters, runs: int) -> tuple[float, int, bool]:
    """Return milliseconds of a page (the median), how many it holds, and whether it is a partial one."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        found = reader.find(filters, limit=_SIZE + 1)
        times.append(time.perf_counter() - began)
    return median(times) * 1e3, len(found.items), found.stopped_at is not None


def _slowest(reader: Reader, asked: Mapping[str, Filters], runs: int, what: str, goal: str) -> list[Row]:
    measured = {name: page_ms(reader, filters, runs) for name, filters in asked.items()}
    rows = [
        Row("W9", f"{what}: {name}", f"{took:.1f} ms", "", f"{count} found{', partial' if is_partial else ''}", goal)
        for name, (took, count, is_partial) in sorted(measured.items(), key=lambda item: -item[1][0])
    ]
    return rows[:5]


def measure(runs: int, count: int = 1_000_000) -> list[Row]:
    """Return the slowest pages of each kind."""
    with tempfile.TemporaryDirectory(prefix="defer-bench-") as folder:
        path = Path(folder) / "defer.db"
        crowd = Crowd(path, count)
        crowd.fill()
        reader = open_reader(path)
        rows = _slowest(reader, each_filter(crowd.now_us), runs, "by itself", "≤ 20 ms")
        rows += _slowest(reader, combinations(crowd.now_us), runs, "together", "≤ 200 ms, or a partial page")
        reader.close()
        crowd.store.close()
    return rows
