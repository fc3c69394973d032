"""A real process of the runner's that kills itself inside one phase of its work, at one point of it.

``python -m tests.faults.dying PHASE POINT NTH FILE -- defer …`` runs the command; ``FILE`` gets a line when it dies.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from random import random
from typing import Any

from defer_cli.store.sqlite.store import SqliteStore

PHASES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "claim": ("claim", lambda claim: bool(claim.started)),
    "outcome": ("apply", any),
    "tick": ("fire", any),
    "take-back": ("take_back", bool),
}
"""By name: the method of the store that writes it, and whether it has written something."""
POINTS = ("written", "syncing", "committed")
"""Before COMMIT; at some moment of it or soon after; when it has returned, and nobody was told yet."""
_LONGEST_SYNC_SECONDS = 0.001


class _Death:
    """Comes at the ``nth`` time that a phase has written something."""

    def __init__(self, phase: str, point: str, nth: int, file: str) -> None:
        self._said = f"{phase} {point}\n".encode()
        self._point = point
        self._left = nth
        self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._is_due = False

    def written(self) -> None:
        self._left -= 1
        if self._left:
            return
        if self._point == "written":
            self.come()
        elif self._point == "syncing":
            threading.Thread(target=self._come_soon, daemon=True).start()
        else:
            self._is_due = True

    def committed(self) -> None:
        if self._is_due:
            self.come()

    def _come_soon(self) -> None:
        time.sleep(random() * _LONGEST_SYNC_SECONDS)
        self.come()

    def come(self) -> None:
        os.write(self._descriptor, self._said)
        os.kill(os.getpid(), signal.SIGKILL)


def arrange(phase: str, point: str, nth: int, file: str) -> None:
    """Have this process die so."""
    death = _Death(phase, point, nth, file)
    name, has_written = PHASES[phase]
    method = getattr(SqliteStore, name)
    transaction = SqliteStore.transaction

    def watched(store: SqliteStore, *args: Any, **kwargs: Any) -> Any:
        result = method(store, *args, **kwargs)
        if has_written(result):
            death.written()
        return result

    @contextmanager
    def watched_transaction(store: SqliteStore, on_written: Callable[[], None] | None = None) -> Iterator[None]:
        inner: AbstractContextManager[None] = transaction(store, on_written)
        with inner:
            yield
        death.committed()

    setattr(SqliteStore, name, watched)
    setattr(SqliteStore, "transaction", watched_transaction)  # noqa: B010  # a type checker sees a method


def main() -> None:
    """Run a command of defer's that dies."""
    split = sys.argv.index("--")
    phase, point, nth, file = sys.argv[1:split]
    arrange(phase, point, int(nth), file)
    sys.argv = sys.argv[split + 1 :]
    runpy.run_module("defer_cli", run_name="__main__")


if __name__ == "__main__":
    main()
