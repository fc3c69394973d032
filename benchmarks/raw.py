"""The limits of this machine: what SQLite alone does, with the same promises and nothing around it."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from pathlib import Path

_BATCH = 100
_PAGE = b"x" * 4096
_KEPT_BYTES = 8 * 1024 * 1024


def _open(folder: str) -> sqlite3.Connection:
    database = sqlite3.connect(Path(folder) / "raw.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=0"):
        database.execute(f"PRAGMA {pragma}")
    database.execute("CREATE TABLE job (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, state TEXT, due INTEGER, result BLOB)")
    database.execute("CREATE INDEX due ON job (due, seq) WHERE state = 'created'")
    database.execute("CREATE TABLE filler (data BLOB)")
    database.execute("INSERT INTO filler VALUES (zeroblob(16000000))")  # a kept WAL is overwritten, not grown
    database.execute("DROP TABLE filler")
    database.execute("PRAGMA wal_checkpoint(PASSIVE)")
    return database


def single_commits_per_second(count: int = 2_000) -> float:
    """Insert rows one a commit."""
    with tempfile.TemporaryDirectory(prefix="defer-raw-") as folder:
        database = _open(folder)
        began = time.perf_counter()
        for number in range(count):
            database.execute("BEGIN IMMEDIATE")
            database.execute("INSERT INTO job VALUES (NULL, ?, 'created', ?, NULL)", (f"{number:026}", number))
            database.execute("COMMIT")
        took = time.perf_counter() - began
        database.close()
    return count / took


def synced_writes_ms(count: int, pause: float) -> list[float]:
    """Return how long each of ``count`` writes of one page takes until it is on disk, with a pause before each."""
    waits = []
    with tempfile.TemporaryFile(prefix="defer-raw-", buffering=0) as file:
        descriptor = file.fileno()
        file.write(bytes(_KEPT_BYTES))  # what is overwritten needs no room, as in a kept WAL
        os.fsync(descriptor)
        for number in range(count):
            time.sleep(pause)
            began = time.perf_counter()
            os.pwrite(descriptor, _PAGE, number * len(_PAGE) % _KEPT_BYTES)
            os.fdatasync(descriptor)
            waits.append((time.perf_counter() - began) * 1e3)
    return waits


def lives_per_second(count: int = 20_000) -> float:
    """Insert, claim and finish rows, a hundred a commit, three commits a row's life."""
    with tempfile.TemporaryDirectory(prefix="defer-raw-") as folder:
        database = _open(folder)
        began = time.perf_counter()
        for start in range(0, count, _BATCH):
            database.execute("BEGIN IMMEDIATE")
            database.executemany(
                "INSERT INTO job VALUES (NULL, ?, 'created', ?, NULL)",
                [(f"{number:026}", number) for number in range(start, start + _BATCH)],
            )
            database.execute("COMMIT")
        for _ in range(0, count, _BATCH):
            database.execute("BEGIN IMMEDIATE")
            claimed = database.execute(
                "UPDATE job SET state = 'started' WHERE seq IN"
                " (SELECT seq FROM job WHERE state = 'created' ORDER BY due, seq LIMIT ?) RETURNING seq",
                (_BATCH,),
            ).fetchall()
            database.execute("COMMIT")
            database.execute("BEGIN IMMEDIATE")
            database.executemany("UPDATE job SET state = 'succeed', result = 'null' WHERE seq = ?", claimed)
            database.execute("COMMIT")
        took = time.perf_counter() - began
        database.close()
    return count / took
