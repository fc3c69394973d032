"""What a figure depends on and no table shows: the machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def described() -> str:
    """Return cores, processor, memory and kernel in one line."""
    cpu = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    memory = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    return f"{os.cpu_count()} cores ({cpu}), {memory / 1e6:.0f} GB, Linux {platform.release()}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
