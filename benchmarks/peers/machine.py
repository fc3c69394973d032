"""What a figure depends on and no table shows: the machine, and how fast its disk syncs."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from pathlib import Path

_SYNCS = 500


def described() -> str:
    """Return cores, processor, memory and kernel in one line."""
    cpu = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    memory = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    return f"{os.cpu_count()} cores ({cpu}), {memory / 1e6:.0f} GB, Linux {platform.release()}"


def syncs_per_second() -> float:
    """Return how often a second a page of a file can be overwritten and synced, where the workloads keep theirs."""
    with tempfile.NamedTemporaryFile(prefix="defer-peers-") as file:
        page = b"x" * 4096
        os.pwrite(file.fileno(), page, 0)
        os.fsync(file.fileno())
        began = time.perf_counter()
        for _ in range(_SYNCS):
            os.pwrite(file.fileno(), page, 0)
            os.fdatasync(file.fileno())
        return _SYNCS / (time.perf_counter() - began)


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
