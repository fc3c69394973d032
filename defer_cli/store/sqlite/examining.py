"""Looking at a database that nobody owns just now, without leaving a trace: what `defer doctor` needs."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from defer_cli.store.sqlite.connection import open_reading, reporting
from defer_cli.store.sqlite.migrations import check_is_known, check_is_ours, schema_version
from defer_cli.store.sqlite.reader import SqliteReader
from defer_cli.store.sqlite.store import quick_check

LIBRARY_VERSION = sqlite3.sqlite_version
LEAST_LIBRARY = "3.38"
"""The first SQLite with all that the statements need: the operator ``->>`` came last."""
_STEPS_A_LOOK = 10_000


def is_new_enough(version: str = LIBRARY_VERSION) -> bool:
    """Return whether this SQLite understands the statements."""
    return _numbers(version) >= _numbers(LEAST_LIBRARY)


def has_safe_log(version: str = LIBRARY_VERSION) -> bool:
    """Return whether two connections that write could not corrupt its log: mended in 3.51.3 (sqlite.org/wal.html)."""
    return _numbers(version) >= (3, 51, 3)


@contextmanager
def examined(path: Path) -> Iterator[SqliteReader]:
    """Yield a reader that makes no files; whoever asks holds the lock, so that nobody writes meanwhile.

    Raises ``StoreError`` for a database that is damaged, newer or not ours.
    """
    with reporting(path):
        connection = open_still(path)
        try:
            check_is_ours(connection, path)
            check_is_known(schema_version(connection), path)
            yield SqliteReader(connection, path)
        finally:
            connection.close()


def look_for_damage(path: Path, *, seconds: float | None = None, is_owned: bool = False) -> bool:
    """Return whether the whole database was looked at within ``seconds`` (None: however long it takes).

    ``is_owned``: a runner works on it, or may begin to. Raises ``StoreError`` for what is found.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    with reporting(path):
        connection = open_reading(path) if is_owned else open_still(path)
        try:
            if deadline is not None:
                connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_A_LOOK)
            quick_check(connection.execute("PRAGMA quick_check(1)").fetchone()[0], path)
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
                return False
            raise
        finally:
            connection.close()
    return True


def open_still(path: Path) -> sqlite3.Connection:
    """Open it as a file that nobody changes: nothing is made beside it. A log that was left has to be read as well."""
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        return open_reading(path)
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
