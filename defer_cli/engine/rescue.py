"""What a dead runner left behind: its workers are ended, then its executions are taken back."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from msgspec import Struct

from defer_cli.domain.errors import StoreError
from defer_cli.domain.settle import Running
from defer_cli.engine.events import Note
from defer_cli.store.contract import Store

_log = logging.getLogger(__name__)
_PAUSE_SECONDS = 0.005
_LONGEST_SECONDS = 10.0
A_TURN = 1_000


class WorkerList:
    """The living workers of a runner, in a file, so that the next runner finds those that outlived it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, pids: Sequence[int]) -> None:
        """Note the workers alive now, each with its start time: a pid alone may be given to another process."""
        lines = [f"{pid} {started}\n" for pid in pids if (started := _started(pid)) is not None]
        temporary = self._path.with_suffix(".new")
        temporary.touch(mode=0o600)
        temporary.write_text("".join(lines))
        temporary.replace(self._path)

    def end_survivors(self) -> int:
        """Kill the groups of workers that still live and wait for their end; return how many there were.

        Raises ``StoreError`` when one cannot be ended: its work must not be given to another.
        """
        living = self._living()
        for pid, _ in living:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        deadline = time.monotonic() + _LONGEST_SECONDS
        for pid, started in living:
            while _started(pid) == started:
                if time.monotonic() > deadline:
                    raise StoreError(
                        f"worker {pid} of a runner that has ended is still alive", mend=f"end it: kill -9 {pid}"
                    )
                time.sleep(_PAUSE_SECONDS)
        return len(living)

    def _living(self) -> list[tuple[int, str]]:
        try:
            lines = self._path.read_text(errors="replace").split("\n")
        except FileNotFoundError:
            return []
        pairs = [line.split() for line in lines]
        named = [(int(pair[0]), pair[1]) for pair in pairs if len(pair) == 2 and pair[0].isdecimal()]
        return [(pid, started) for pid, started in named if _started(pid) == started]


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _started(pid: int) -> str | None:
    """Return when a process started: boot and clock ticks (man 5 proc, stat field 22); None when it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    after_name = stat.rpartition(")")[2].split()
    return None if after_name[0] in "ZX" else f"{_boot()}/{after_name[19]}"


class Left(Struct, frozen=True):
    """What a dead runner left started: ``lost`` is ready to run again, ``guilty`` is to be charged with its death.

    ``has_suspects``: runners have died again and again with something that has not ended, also earlier ones.
    """

    lost: Sequence[Running] = ()
    guilty: Running | None = None
    has_suspects: bool = False

    def notes(self) -> Iterator[Note]:
        """Yield what is to be told of it."""
        aborted = sum(running.is_aborting for running in self.lost)
        if left := len(self.lost) - aborted:
            yield Note("warning", "executions of a runner that has ended are run again", {"count": left})
        if aborted:
            yield Note("warning", "executions that a runner was aborting when it ended are aborted", {"count": aborted})


def put_right(store: Store) -> Left:
    """Take back what a dead runner left, and make due what a clock that was ahead has postponed."""
    left = Left(take_back(store), store.guilty(), store.has_runner_suspects())
    take_from_the_future(store)
    return left


def take_back(store: Store) -> list[Running]:
    """Make what a dead runner left started ready to run again; return the attempts that were lost."""
    lost: list[Running] = []
    while True:
        with store.transaction():
            some = store.take_back(limit=A_TURN)
        if not some:
            return lost
        lost.extend(some)


def take_from_the_future(store: Store) -> None:
    """Make due what was queued, unasked, for later than now: the clock was ahead when that was done."""
    while True:
        with store.transaction():
            moved = store.step_back(limit=A_TURN)
        if moved < A_TURN:
            return
