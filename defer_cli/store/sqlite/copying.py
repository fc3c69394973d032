"""Copies of a database: one that is taken while a runner works on it, and one that takes its place."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from defer_cli.domain.errors import StoreError
from defer_cli.store.contract import Gap, Mark
from defer_cli.store.sqlite.connection import open_reading, reporting
from defer_cli.store.sqlite.examining import look_for_damage, open_still
from defer_cli.store.sqlite.migrations import check_is_known, check_is_ours, schema_version
from defer_cli.store.sqlite.store import open_store

_PAGES_A_STEP = 4_096
_TAKEN = "backup_taken_us"
_OWNER_ONLY = 0o600
RESTORED = "restored from a backup"
"""Why ticks between a backup and its restore are not run: most of them had been."""

Progress = Callable[[int, int], None]
"""Is told how many pages of how many are copied."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy: how large it is, and when it was taken (microseconds since 1970; None: it is no backup of ours)."""

    bytes: int
    taken_us: int | None


def back_up(database: Path, target: Path, *, progress: Progress, is_owned: bool) -> Backup:
    """Write a copy of a database as it is at one instant; ``target`` appears when it is whole and synced.

    ``is_owned``: a runner goes on working on it meanwhile. Raises ``StoreError``.
    """
    taken_us = time.time_ns() // 1_000
    with reporting(target), _appearing(target) as part:
        with reporting(database):
            source = open_reading(database) if is_owned else open_still(database)
        try:
            _copy(source, part, progress)
        finally:
            source.close()
        copy = sqlite3.connect(part, isolation_level=None)
        try:
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, whoever opens it
            copy.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (_TAKEN, str(taken_us)))
        finally:
            copy.close()
        look_for_damage(part)
        size = part.stat().st_size
    return Backup(size, taken_us)


def check_backup(backup: Path) -> Backup:
    """Return what a backup is; raise ``StoreError`` for what cannot be restored."""
    with reporting(backup):
        connection = open_still(backup)
        try:
            check_is_ours(connection, backup)
            version = schema_version(connection)
            if not version:
                raise StoreError("the file is empty", where=str(backup), mend="name a file that `defer backup` wrote")
            check_is_known(version, backup)
            taken = connection.execute("SELECT value FROM meta WHERE key = ?", (_TAKEN,)).fetchone()
        finally:
            connection.close()
        look_for_damage(backup)
        return Backup(backup.stat().st_size, None if taken is None else int(taken[0]))


def restore(backup: Path, database: Path, *, aside: Path, progress: Progress) -> None:
    """Put a copy of ``backup`` in the place of a database that nobody owns but the caller.

    What was there moves into the folder ``aside``. No cron owes a tick that came before now. Raises ``StoreError``.
    """
    part = database.with_name(f"{database.name}.restoring")
    for left in (part, *_beside(part)):
        left.unlink(missing_ok=True)
    with reporting(database):
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, _OWNER_ONLY))
        source = open_still(backup)
        try:
            _copy(source, part, progress)
        finally:
            source.close()
        _owe_no_tick(part)
        _sync(part)
        _set_aside(database, aside)
        part.rename(database)
        _sync(database.parent)


def _owe_no_tick(part: Path) -> None:
    store = open_store(part, is_brief=True)
    now_us = store.now()
    with store.transaction():
        marks = store.marks()
        store.record_gaps(
            [
                Gap(mark.function, mark.canonical, mark.mark_us, now_us, RESTORED)
                for mark in marks
                if mark.mark_us < now_us
            ]
        )
        store.set_marks([Mark(mark.function, mark.canonical, now_us) for mark in marks])
    store.close()
    for left in _beside(part):
        left.unlink(missing_ok=True)


def _set_aside(database: Path, aside: Path) -> None:
    """Keep what is there. Its log goes first: SQLite would apply it to whatever database lies beside it."""
    if not database.exists():
        return
    with suppress(StoreError):  # a damaged one is kept as it is
        open_store(database, is_brief=True).close()
    aside.mkdir(mode=0o700)
    for left in _beside(database):
        if left.exists():
            left.rename(aside / left.name)
    os.link(database, aside / database.name)
    _sync(aside)


def _copy(source: sqlite3.Connection, target: Path, progress: Progress) -> None:
    """Copy one instant of a database: without a transaction a copy begins anew at every commit of somebody else."""
    copy = sqlite3.connect(target, isolation_level=None)
    try:
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        source.backup(copy, pages=_PAGES_A_STEP, progress=lambda _, left, whole: progress(whole - left, whole))
        source.execute("ROLLBACK")
    finally:
        copy.close()


@contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """Yield a file beside ``target`` that becomes it at the end of the block."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, _OWNER_ONLY))
        yield part
        _sync(part)
        part.rename(target)
        _sync(target.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _beside(database: Path) -> list[Path]:
    return [database.with_name(database.name + ending) for ending in ("-wal", "-shm")]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
