"""Ends of executions by hour and by how long they took, counted in the transaction that ends them."""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection

from defer_cli.domain.history import HOUR_US, UNKNOWN, bucket_of
from defer_cli.domain.settle import Move
from defer_cli.store.sqlite import figures_statements as statements

_ALL = ""
"""The function that stands for all of them together."""

End = tuple[str, int, str, int]
"""Function, hour, state, bucket."""


class History:
    """What the open transaction has ended; the rest is on disk, and no move reads it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._changes: dict[End, int] = {}

    def settled(self, moves: Sequence[Move]) -> None:
        """Count executions that ``moves`` have ended."""
        changes = self._changes
        for move in moves:
            at_us = move.at_us
            key = (move.function, at_us // HOUR_US, move.target, bucket_of(at_us - move.started_us))
            changes[key] = changes.get(key, 0) + 1

    def ended(self, function: str, state: str, at_us: int, *, started_us: int | None = None, count: int = 1) -> None:
        """Count ``count`` executions of ``function`` that have ended in ``state``."""
        bucket = UNKNOWN if started_us is None else bucket_of(at_us - started_us)
        key = (function, at_us // HOUR_US, state, bucket)
        self._changes[key] = self._changes.get(key, 0) + count

    def write(self) -> None:
        """Write what has ended into the open transaction."""
        if not self._changes:
            return
        together: dict[End, int] = {}
        for (_, hour, state, bucket), count in self._changes.items():
            key = (_ALL, hour, state, bucket)
            together[key] = together.get(key, 0) + count
        rows = [(*key, count) for changes in (self._changes, together) for key, count in changes.items()]
        self._connection.executemany(statements.COUNT_ENDS, rows)

    def keep(self) -> None:
        """Begin anew: what was counted is committed."""
        self._changes = {}

    def changes(self) -> dict[End, int]:
        """Return what was counted so far, to ``undo`` back to."""
        return self._changes.copy()

    def undo(self, changes: dict[End, int]) -> None:
        """Forget what was counted since ``changes`` were taken."""
        self._changes = changes
