"""What a test keeps on its own of calls and effects, outside of the store, so that the store can be held to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ACCEPTED, EFFECTS = "accepted", "effects"

HELPERS = '''
from notes import note

def begins():
    """Write down that an attempt begins, before it does anything."""
    here = current_execution()
    note("effects", f"{here.id} {here.attempt} {os.getpid()} {time.monotonic_ns()} begin")

def ends():
    here = current_execution()
    note("effects", f"{here.id} {here.attempt} {os.getpid()} {time.monotonic_ns()} end")
'''
"""For functions under test; a line is whole also when its process is killed while it writes."""

CALLER = """
    import os, random, sys
    from pathlib import Path
    sys.path.insert(0, str(Path(__file__).parent))
    from notes import is_noted
    from defer import {functions}

    async def main():
        ledger = os.open({ledger!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        number = 0
        while not is_noted("enough"):
            number += 1
            calls = [random.choice(({modules}))(number) for _ in range({at_once})]
            for call in calls:
                await call
            os.write(ledger, "".join(f"{{call.id}}\\n" for call in calls).encode())
            os.fsync(ledger)
            await asyncio.sleep(random.random() * {pause})

    asyncio.run(main())
"""
"""An application that calls without end, and writes down what was accepted."""


class Line(NamedTuple):
    """An attempt that began or ended, in nanoseconds of the machine's monotonic clock, which processes share."""

    id: str
    attempt: int
    pid: int
    at_ns: int
    is_end: bool


class Ledger:
    """What was accepted, and what attempts did."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def path(self) -> Path:
        """Where callers write down what was accepted."""
        return self._folder / ACCEPTED

    def accepted(self) -> list[str]:
        return list(_lines(self.path))

    def effects(self) -> list[Line]:
        """Return what attempts did, in the order of time."""
        lines = (line.split() for line in _lines(self._folder / EFFECTS))
        found = [Line(id, int(n), int(pid), int(at), what == "end") for id, n, pid, at, what in lines]
        return sorted(found, key=lambda line: line.at_ns)

    def add(self, lines: Iterable[Line]) -> None:
        """Write effects that a test makes up."""
        with (self._folder / EFFECTS).open("a") as file:
            for line in lines:
                what = "end" if line.is_end else "begin"
                file.write(f"{line.id} {line.attempt} {line.pid} {line.at_ns} {what}\n")


def _lines(path: Path) -> Iterator[str]:
    if path.exists():
        yield from path.read_text().split("\n")[:-1]
