"""Ends of executions by hour and by how long they took, counted in the transaction that ends them."""

from __future__ import annotations

from sqlite3 import Connection

from defer_cli.domain.history import HOUR_US, KEPT_HOURS, UNKNOWN, bucket_of
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

    def ended(self, function: str, state: str, at_us: int, *, started_us: int | None = None, count: int = 1) -> None:
        """Count ``count`` executions of ``function`` that have ended in ``state``."""
        bucket = UNKNOWN if started_us is None else bucket_of(at_us - started_us)
        self.add((function, at_us // HOUR_US, state, bucket), count)

    def add(self, end: End, count: int) -> None:
        """Count ``count`` executions that have ended alike."""
        self._changes[end] = self._changes.get(end, 0) + count

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

    def forget(self, now_us: int, *, limit: int) -> int:
        """Forget rows of hours of more than 31 days ago; return how many they were."""
        oldest = now_us // HOUR_US - KEPT_HOURS
        return self._connection.execute(statements.FORGET_HISTORY, (oldest, limit)).rowcount
