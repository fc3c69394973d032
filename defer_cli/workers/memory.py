"""How much memory a process takes."""

from __future__ import annotations

import os

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes(pid: int) -> int:
    """Return what a process holds in memory (``man 5 proc``, statm); 0 when it has ended."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as figures:
            return int(figures.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0
