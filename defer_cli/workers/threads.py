"""What the main thread of a process does, as the kernel sees it."""

from __future__ import annotations

import os
from typing import NamedTuple

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class ThreadState(NamedTuple):
    """Its state, one letter (``man 5 proc``, stat), and how long it has been on the CPU."""

    letter: str
    cpu_seconds: float

    @property
    def is_stopped(self) -> bool:
        """Whether somebody has stopped it: it does nothing, and is not to blame."""
        return self.letter in "tT"

    @property
    def sleeps(self) -> bool:
        """Whether it waits for something in the kernel."""
        return self.letter in "SD"


def main_thread(pid: int) -> ThreadState | None:
    """Return what the main thread of a process does; None when it has ended."""
    try:
        with open(f"/proc/{pid}/task/{pid}/stat", "rb") as line:
            fields = line.read().rpartition(b")")[2].split()
        return ThreadState(fields[0].decode(), (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND)
    except (OSError, IndexError):
        return None
