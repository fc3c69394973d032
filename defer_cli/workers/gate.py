"""Attempts that are with a worker before the commit that starts them stands: it holds them until it is told."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from defer_cli.link.frames import Start, StartItem

_NUMBER_BYTES = 8
_READ_BYTES = 1 << 16
MOST_HELD = 500
"""So many attempts may be in a worker that is to hold more. A commit whose number the worker has not read began one of
them at least, and the smallest pipe holds 512 numbers (``man 7 pipe``): there is always room."""


class Gate:
    """The runner's end of a pipe of numbers, one for each commit that stands; the worker's loop reads it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()  # no other file may have the number when the writer's thread writes to it

    @classmethod
    def make(cls) -> tuple[Gate, int]:
        """Return a gate, and the descriptor of the worker's end."""
        theirs, ours = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        return cls(ours), theirs

    def open(self, commit: int) -> None:
        """Tell the worker that a commit stands; any thread may call."""
        with self._lock, suppress(BrokenPipeError):  # it has gone
            if self._descriptor >= 0:
                os.write(self._descriptor, commit.to_bytes(_NUMBER_BYTES, "little"))

    def close(self) -> None:
        """Tell nothing any more."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1


class Gates:
    """The gates behind which attempts are held, by commit. The loop holds, the writer's thread opens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened = 0
        self._closed: dict[int, list[Gate]] = {}

    def hold(self, commit: int, gates: Sequence[Gate]) -> bool:
        """Have ``open`` tell these; return False when it was called for the commit before."""
        with self._lock:
            is_early = commit > self._opened
            if is_early:
                self._closed[commit] = list(gates)
        return is_early

    def open(self, commit: int) -> None:
        """The commit stands: what waits for it may begin."""
        with self._lock:
            self._opened = commit
            gates = self._closed.pop(commit, ())
        for gate in gates:
            gate.open(commit)

    def forget(self, commit: int) -> None:
        """The commit has failed: its gates stay closed."""
        with self._lock:
            self._closed.pop(commit, None)


class Held:
    """In the worker: what waits for commits. A number may come before what waits for it, and after.

    ``on_early`` is told of one that came before: what it is for is sent first, so it lies in the pipe, unread.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        descriptor: int,
        begin: Callable[[Sequence[StartItem]], None],
        on_early: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._descriptor = descriptor
        self._begin = begin
        self._on_early = on_early
        self._held: dict[int, list[StartItem]] = {}
        self._told: deque[int] = deque()
        loop.add_reader(descriptor, self.look)

    def take(self, start: Start) -> None:
        """Begin attempts once their commit stands."""
        commit, told = start.commit, self._told
        while told and told[0] < commit:  # nothing more comes for those: frames come in the order of commits
            told.popleft()
        if commit == 0 or (told and told[0] == commit):
            self._begin(start.items)
        else:
            self._held.setdefault(commit, []).extend(start.items)

    def look(self) -> None:
        """Begin what waits for commits that stand by now."""
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return
        if not data:  # the runner has gone
            self._loop.remove_reader(self._descriptor)
        is_early = False
        for commit in memoryview(data).cast("Q"):
            self._told.append(commit)
            if commit in self._held:
                self._begin(self._held.pop(commit))
            else:
                is_early = True
        if is_early:
            self._on_early()

    def forget(self, commit: int) -> None:
        """The commit has failed: what waits for it never begins."""
        self._held.pop(commit, None)
