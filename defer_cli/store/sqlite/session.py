"""The writing connection with what is kept in memory beside it; both follow its transactions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection, Cursor, Error
from time import monotonic

from defer_cli.domain.errors import StoreError
from defer_cli.domain.settle import Running
from defer_cli.domain.states import State
from defer_cli.store.contract import Limit
from defer_cli.store.sqlite import statements
from defer_cli.store.sqlite.blocks import Blocks
from defer_cli.store.sqlite.connection import store_error
from defer_cli.store.sqlite.counters import Counters
from defer_cli.store.sqlite.heads import SHARED, Heads
from defer_cli.store.sqlite.history import History
from defer_cli.store.sqlite.log_sync import LogSync

_CHECKPOINT_BYTES = 4 * 1024 * 1024
_COMMIT_BYTES = 5 * 4096
_CHANGE_BYTES = 512
_LOOK_SECONDS = 0.2
"""So often at most it is looked whether the files are still in place: a look takes as long as writing a page."""


class Session:
    """One owner's connection, its counters and history, its heads, and the next ``seq``."""

    __slots__ = (
        "_changes_seen",
        "_files",
        "_looks_at",
        "_path",
        "begun",
        "blocks",
        "claimable",
        "connection",
        "counters",
        "execute",
        "executemany",
        "heads",
        "history",
        "log_sync",
        "may_hold_isolated",
        "next_seq",
        "now",
        "queues",
        "sharing",
        "strays",
        "strays_before",
        "written_bytes",
    )

    def __init__(self, connection: Connection, clock: Callable[[], int], path: Path, log_sync: LogSync) -> None:
        self.connection = connection
        self.log_sync = log_sync
        self._path = path
        self._files = {file: _identity(file) for file in (path, path.with_name(f"{path.name}-wal"))}
        self._looks_at = 0.0
        self.now = clock
        self.execute: Callable[..., Cursor] = connection.execute
        self.executemany: Callable[..., Cursor] = connection.executemany
        self.counters = Counters(connection)
        self.history = History(connection)
        self.blocks = Blocks(connection)
        self.heads = Heads()
        self.claimable: Mapping[str, Limit] = {}
        self.queues: Mapping[str, Limit] = {}
        self.sharing: frozenset[str] | None = None
        self.strays: frozenset[str] = frozenset()
        self.begun: list[Running] = []
        self.next_seq: int = connection.execute(statements.NEXT_SEQ).fetchone()[0]
        self.written_bytes = 0
        self._changes_seen = connection.total_changes
        self.may_hold_isolated = True
        self.look_anew()

    def look_anew(self) -> None:
        """Forget where queues begin; each claim finds out as it visits them."""
        self.heads.reset(self.counters.functions_with(State.CREATED))
        self.may_hold_isolated = True
        self._look_for_strays()

    def set_claimable(self, functions: Mapping[str, Limit]) -> None:
        """Claim these functions from now on; those without a limit share a queue, all while none is known."""
        self.claimable = functions
        self.queues = {**functions, SHARED: Limit()} if functions else {}
        unlimited = frozenset(name for name, limit in functions.items() if limit.concurrency is None)
        self.sharing = unlimited if functions else None
        self.heads.release_all()
        self._look_for_strays()

    def _look_for_strays(self) -> None:
        """Find out of which functions something may stand in the shared queue that came when they had no limit."""
        self.strays_before = self.next_seq
        self.strays = frozenset(self.counters.functions_with(State.CREATED)) - (self.sharing or frozenset())

    @property
    def checkpoint_is_due(self) -> bool:
        """Whether about 4 MB were written ahead since the last checkpoint."""
        return self.written_bytes > _CHECKPOINT_BYTES

    @contextmanager
    def transaction(self, on_written: Callable[[], None] | None) -> Iterator[None]:
        """Commit at the end of the block, or undo it on disk and in memory; ``on_written`` comes before the sync."""
        connection = self.connection
        try:
            self.execute("BEGIN IMMEDIATE")
            yield
            if self.begun:
                raise StoreError("calls were stored as started", mend="claim in the same transaction")
            self.counters.write()
            self.history.write()
            self.blocks.write()
            self._commit(on_written)
        except BaseException as error:
            self._roll_back()
            if isinstance(error, Error):
                raise store_error(error, self._path) from error
            raise
        if monotonic() >= self._looks_at:
            self._require_place()
        self.counters.keep()
        self.history.keep()
        changes = connection.total_changes
        self.written_bytes += _COMMIT_BYTES + _CHANGE_BYTES * (changes - self._changes_seen)
        self._changes_seen = changes

    def _commit(self, on_written: Callable[[], None] | None) -> None:
        with self.log_sync.committing():
            self.execute("COMMIT")
            if on_written is not None:
                on_written()
            if self.connection.total_changes != self._changes_seen:  # else it has changed no row
                self.log_sync.sync()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo only this block when it raises."""
        counted, ended, begun = self.counters.changes(), self.history.changes(), self.begun.copy()
        self.execute("SAVEPOINT block")
        try:
            yield
        except BaseException as error:
            if self.connection.in_transaction:  # SQLite itself rolls back on a full disk
                self.execute("ROLLBACK TO block")
                self.execute("RELEASE block")
                self.counters.undo(counted)
                self.history.undo(ended)
                self.begun = begun
                self.look_anew()
            if isinstance(error, Error):
                raise store_error(error, self._path) from error
            raise
        self.execute("RELEASE block")

    def follow_start(self, started: Sequence[Running], now_us: int, runner: str) -> None:
        """Write what goes with attempts that ``runner`` starts now: counters, blocks."""
        started_of: dict[str, int] = {}
        for running in started:
            started_of[running.function] = started_of.get(running.function, 0) + 1
        for function, count in started_of.items():
            self.counters.move(function, "created", "started", count)
        self.blocks.started([running.seq for running in started], now_us, runner)

    def take_begun(self) -> list[Running]:
        """Return what the open transaction has stored as started; its claim takes it, once."""
        begun, self.begun = self.begun, []
        return begun

    def is_in_place(self) -> bool:
        """Whether the files that are written are those that the next start will find."""
        files = self._files
        for file, known in files.items():
            found = _identity(file)
            if known is None:  # a log is made by the first commit, where it was not made at the start
                files[file] = found
            elif found != known:
                return False
        return True

    def _require_place(self) -> None:
        self._looks_at = monotonic() + _LOOK_SECONDS
        if not self.is_in_place():
            raise StoreError(
                "the database was moved away or deleted while it was in use",
                where=str(self._path),
                mend="put its folder back as it was, or start again to begin anew",
                is_fatal=True,
            )

    def require_transaction(self) -> None:
        """Raise unless a transaction is open: counters and rows must change together."""
        if not self.connection.in_transaction:
            raise StoreError("the store was changed outside a transaction", mend="use store.transaction()")

    def checkpoint(self) -> None:
        """Fold the log into the database; readers may make it stop early."""
        self.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        self.written_bytes = 0

    def _roll_back(self) -> None:
        try:
            if self.connection.in_transaction:
                self.execute("ROLLBACK")
        finally:
            self.counters.undo({})
            self.history.undo({})
            self.blocks.forget()
            self.begun.clear()
            self.look_anew()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
