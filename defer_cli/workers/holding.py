"""Attempts that are with a worker before the commit that starts them stands: it holds them until it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from msgspec import Struct

from defer_cli.link.frames import Stands, Start, StartItem


class _Ordered(Protocol):
    def order(self, message: Struct) -> None:
        """Send what its loop is to do; any thread may call."""


class Holders:
    """In the runner: the workers that hold attempts, by commit.

    The loop hears of each commit once, before it stands or after; the writer's thread tells which do. A commit that
    fails is never told, so numbers are exact, not "up to here".
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._standing: set[int] = set()
        self._holders: dict[int, list[_Ordered]] = {}

    def stands(self, commit: int) -> bool:
        """Whether the commit stands: then nothing is held for it, and it is not to be asked for again."""
        with self._lock:
            return self._has_stood(commit)

    def add(self, commit: int, workers: Iterable[_Ordered]) -> None:
        """Tell these, which hold something, once the commit stands; if it does by now, at once."""
        with self._lock:
            has_stood = self._has_stood(commit)
            if not has_stood:
                self._holders[commit] = list(workers)
        if has_stood:
            _tell(workers, commit)

    def release(self, commit: int) -> None:
        """The commit stands: what waits for it begins."""
        with self._lock:
            workers = self._holders.pop(commit, None)
            if workers is None:
                self._standing.add(commit)
        _tell(workers or (), commit)

    def forget(self, commit: int) -> None:
        """The commit has failed: nobody is told of it."""
        with self._lock:
            self._holders.pop(commit, None)

    def _has_stood(self, commit: int) -> bool:
        has_stood = commit in self._standing
        self._standing.discard(commit)
        return has_stood


def _tell(workers: Iterable[_Ordered], commit: int) -> None:
    for worker in workers:
        worker.order(Stands(commit))


class Held:
    """In the worker: what waits for commits. A start comes before the word that its commit stands."""

    def __init__(self, begin: Callable[[Sequence[StartItem]], None]) -> None:
        self._begin = begin
        self._held: dict[int, list[StartItem]] = {}

    def take(self, start: Start) -> None:
        """Begin attempts once their commit stands."""
        if start.commit == 0:
            self._begin(start.items)
        else:
            self._held.setdefault(start.commit, []).extend(start.items)

    def release(self, commit: int) -> None:
        """The commit stands: begin what waits for it."""
        self._begin(self._held.pop(commit, ()))

    def forget(self, commit: int) -> None:
        """The commit has failed: what waits for it never begins."""
        self._held.pop(commit, None)
