"""How many executions each function has in each state, kept beside the rows in the same transaction."""

from __future__ import annotations

from collections.abc import Iterator
from sqlite3 import Connection

from defer_cli.domain.states import State
from defer_cli.store.sqlite import statements


class Counters:
    """Committed counts in memory, and what the open transaction has changed of them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._committed: dict[tuple[str, str], int] = {
            (function, state): count for function, state, count in connection.execute(statements.COUNTERS)
        }
        self._changes: dict[tuple[str, str], int] = {}

    def add(self, function: str, state: str, change: int) -> None:
        """Count ``change`` more executions of ``function`` in ``state``."""
        key = (function, state)
        self._changes[key] = self._changes.get(key, 0) + change

    def move(self, function: str, source: str, target: str, count: int = 1) -> None:
        """Count ``count`` executions in ``target`` that were in ``source``."""
        self.add(function, source, -count)
        self.add(function, target, count)

    def count(self, function: str, state: str) -> int:
        """Return the count, the open transaction's changes included."""
        key = (function, state)
        return self._committed.get(key, 0) + self._changes.get(key, 0)

    def running(self, function: str) -> int:
        """Return how many places under its limit ``function`` holds."""
        return self.count(function, State.STARTED) + self.count(function, State.ABORTING)

    def functions_with(self, *states: str) -> Iterator[str]:
        """Return the functions that have executions in one of ``states``."""
        functions = {function for function, state in (*self._committed, *self._changes) if state in states}
        return (function for function in functions if any(self.count(function, state) for state in states))

    def total(self, *states: str) -> int:
        """Return how many executions are in one of ``states``."""
        return sum(self.count(function, state) for state in states for function in self.functions_with(state))

    def write(self) -> None:
        """Write the changes into the open transaction."""
        changes = [(function, state, change) for (function, state), change in self._changes.items() if change]
        if changes:
            self._connection.executemany(statements.COUNT, changes)

    def keep(self) -> None:
        """Take the changes over: they are committed."""
        for key, change in self._changes.items():
            self._committed[key] = self._committed.get(key, 0) + change
        self._changes = {}

    def changes(self) -> dict[tuple[str, str], int]:
        """Return the changes so far, to ``undo`` back to."""
        return self._changes.copy()

    def undo(self, changes: dict[tuple[str, str], int]) -> None:
        """Forget the changes made since ``changes`` were taken."""
        self._changes = changes
