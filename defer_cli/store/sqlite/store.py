"""The writing side of the SQLite engine: the contract's methods over one session."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from defer_cli.domain.enqueue import Enqueue, Refused, Stored
from defer_cli.domain.errors import StoreError
from defer_cli.domain.execution import Execution
from defer_cli.domain.log_chunk import LogChunk
from defer_cli.domain.retention import Round
from defer_cli.domain.settle import Move, Running
from defer_cli.store.contract import Claim, Ending, Gap, Limit, Mark, Pruned, Taker, Tick
from defer_cli.store.sqlite import claiming, inserting, moving, pruning, rescuing, settling, statements, ticking
from defer_cli.store.sqlite.ballast import BALLAST_BYTES, Ballast, ballast_of
from defer_cli.store.sqlite.connection import keep_log, open_reading, open_writing, reporting
from defer_cli.store.sqlite.log_sync import LogSync
from defer_cli.store.sqlite.migrations import migrate
from defer_cli.store.sqlite.outbox import SqliteOutbox
from defer_cli.store.sqlite.rows import execution_of
from defer_cli.store.sqlite.session import Session
from defer_cli.store.sqlite.statements import as_list


def open_store(
    path: Path,
    *,
    clock: Callable[[], int] | None = None,
    check: bool = False,
    is_lasting: bool = True,
    is_brief: bool = False,
    has_ballast: bool = False,
) -> SqliteStore:
    """Open the database as its owner, making or migrating it; ``check`` looks for damage first.

    ``is_lasting``: a commit waits for the disk; one that is not is for the time of a test.
    ``is_brief``: it is for a command's moment, which writes little.
    ``has_ballast``: keep room for a full disk, so that what runs can then be written down.
    Raises ``StoreError`` for what cannot be kept safe: a network file system, a file of another program,
    a newer schema, damage.
    """
    with reporting(path):
        connection = open_writing(path)
        log_sync = LogSync(None)
        try:
            if check:
                quick_check(connection.execute("PRAGMA quick_check(1)").fetchone()[0], path)
            if not is_lasting:
                connection.execute("PRAGMA synchronous = OFF")
            migrate(connection, path)
            if is_lasting:
                log_sync = keep_log(connection, path, is_brief=is_brief)
            else:
                connection.execute("PRAGMA journal_mode = WAL").fetchall()
            ballast = Ballast(ballast_of(path), bytes=BALLAST_BYTES if has_ballast else 0)
            ballast.lay()
            return SqliteStore(Session(connection, clock or _wall_clock, path, log_sync), path, ballast)
        except BaseException:
            log_sync.close()
            connection.close()
            raise


def quick_check(answer: str, path: Path) -> None:
    """Raise ``StoreError`` unless SQLite found nothing wrong."""
    if answer != "ok":
        raise StoreError(
            f"the database is damaged: {answer}",
            where=str(path),
            mend="restore a backup, or move the file away to begin anew",
            is_fatal=True,
        )


def _wall_clock() -> int:
    return time.time_ns() // 1_000


class SqliteStore:
    """The one owner of a database file; used by one thread at a time."""

    def __init__(self, session: Session, path: Path, ballast: Ballast) -> None:
        self._session = session
        self._path = path
        self._ballast = ballast
        self.outbox = SqliteOutbox(session)

    def now(self) -> int:
        """Return the store's clock."""
        return self._session.now()

    def transaction(self, on_written: Callable[[], None] | None = None) -> AbstractContextManager[None]:
        """Commit at the end of the block, or undo it; ``on_written`` comes between the commit and its sync."""
        return self._session.transaction(on_written)

    def savepoint(self) -> AbstractContextManager[None]:
        """Undo only this block when it raises."""
        return self._session.savepoint()

    def insert(self, calls: Sequence[Enqueue], *, taker: Taker | None = None) -> list[Stored | Refused]:
        """Store calls, each id once; start those that ``taker`` would start next."""
        results = inserting.insert(self._session, calls, taker=taker)
        if self._ballast.is_given_up and any(isinstance(result, Stored) and result.is_new for result in results):
            self._ballast.require_room()
        return results

    def claim(self, *, limit: int, isolated: int = 0, runner: str, functions: Mapping[str, Limit]) -> Claim:
        """Start what is due; pass a new mapping whenever a function or its limit has changed."""
        return claiming.claim(self._session, limit=limit, isolated=isolated, runner=runner, functions=functions)

    def apply(self, moves: Sequence[Move]) -> list[bool]:
        """Write what attempts came to."""
        return settling.apply(self._session, moves)

    def abort(self, id: str) -> Running | None:
        """Move a started execution to aborting."""
        return moving.abort(self._session, id)

    def cancel(self, id: str) -> Ending | None:
        """Move a created execution to cancelled."""
        return moving.cancel(self._session, id)

    def get(self, id: str) -> Execution | None:
        """Return one execution."""
        rows = self._session.execute(statements.GET, (id,)).fetchall()
        return execution_of(rows[0]) if rows else None

    def rerun(self, id: str, new_id: str) -> bool:
        """Insert a new execution like an old one."""
        self._ballast.require_room()
        return inserting.rerun(self._session, id, new_id)

    def prune(self, *, before_us: int, from_seq: int, limit: int, most: int | None = None) -> Pruned:
        """Delete what finished before a moment, one step."""
        return pruning.prune(self._session, before_us=before_us, from_seq=from_seq, limit=limit, most=most)

    def prune_logs(self, *, before_us: int, from_seq: int, limit: int, most: int, note: str) -> Pruned:
        """Delete what executions printed that finished before a moment, one step."""
        return pruning.prune_logs(
            self._session, before_us=before_us, from_seq=from_seq, limit=limit, most=most, note=note
        )

    def give_back(self, *, limit: int, spared: float = 0.0) -> int:
        """Give empty pages back to the file system, one step."""
        return pruning.give_back(self._session, limit=limit, spared=spared)

    def keep_round(self, made: Round) -> None:
        """Keep what a round of retention came to."""
        pruning.keep_round(self._session, made)

    def reschedule(self, id: str, scheduled_us: int) -> bool:
        """Give a created execution another time, now at the earliest."""
        return moving.reschedule(self._session, id, scheduled_us)

    def discard_due(self, *, limit: int) -> list[Ending]:
        """Discard what was never started by its ``discard_after``."""
        return moving.discard_due(self._session, limit=limit)

    def next_discard_us(self) -> int | None:
        """Return the earliest ``discard_after`` of what was never started."""
        return moving.next_discard_us(self._session)

    def settle_blocks(self, *, limit: int) -> int:
        """Look at blocks that may hold what has not ended, and narrow those that do not."""
        self._session.require_transaction()
        return self._session.blocks.settle(limit=limit)

    def forget_history(self, *, limit: int) -> int:
        """Forget ends of more than 31 days ago, one step."""
        self._session.require_transaction()
        return self._session.history.forget(self.now(), limit=limit)

    def take_back(self, *, limit: int) -> list[Running]:
        """Make what a dead runner left started created again, aborting aborted."""
        return rescuing.take_back(self._session, limit=limit)

    def guilty(self) -> Running | None:
        """Return what a dead runner left started that is to be charged with its death."""
        return rescuing.guilty(self._session)

    def go_on(self, *, seq: int, attempt: int) -> bool:
        """Note that a started attempt goes on after a wait."""
        return rescuing.go_on(self._session, seq=seq, attempt=attempt)

    def has_runner_suspects(self) -> bool:
        """Return whether anything unfinished is suspected of killing runners."""
        return rescuing.has_runner_suspects(self._session)

    def step_back(self, *, limit: int) -> int:
        """Set unmarked created rows that lie ahead of now to now."""
        return rescuing.step_back(self._session, limit=limit)

    def fire(self, ticks: Sequence[Tick]) -> list[Stored | None]:
        """Insert ticks with their executions and marks, each tick once."""
        self._ballast.require_room()
        return ticking.fire(self._session, ticks)

    def marks(self) -> list[Mark]:
        """Return all marks."""
        return ticking.marks(self._session)

    def set_marks(self, marks: Sequence[Mark]) -> None:
        """Set marks, also backwards."""
        ticking.set_marks(self._session, marks)

    def record_gaps(self, gaps: Sequence[Gap]) -> None:
        """Keep the gaps, to be shown."""
        ticking.record_gaps(self._session, gaps)

    def lengthen_gaps(self, gaps: Sequence[Gap]) -> None:
        """Keep the gaps, each in one row with the one that it goes on."""
        ticking.lengthen_gaps(self._session, gaps)

    def forget_marks(self, keep: Sequence[tuple[str, str]]) -> None:
        """Remove all marks but those of ``keep``."""
        ticking.forget_marks(self._session, keep)

    def pause(self, function: str) -> bool:
        """Keep that a cron is paused from now on; False: it was already."""
        return ticking.pause(self._session, function)

    def resume(self, function: str) -> bool:
        """Keep that a cron is paused no more; False: it was not."""
        return ticking.resume(self._session, function)

    def paused(self) -> dict[str, int]:
        """Return since when crons are paused, by function."""
        return dict(self._session.execute(statements.PAUSED).fetchall())

    def append_logs(self, chunks: Sequence[LogChunk]) -> None:
        """Keep log chunks of executions that are still there."""
        session = self._session
        session.executemany(
            statements.APPEND_LOGS,
            [(chunk.seq, chunk.attempt, chunk.part, chunk.lines, chunk.dropped) for chunk in chunks],
        )
        session.written_bytes += sum([len(chunk.lines) for chunk in chunks])

    def marked_children(self, parents: Sequence[str]) -> dict[str, dict[bytes, int]]:
        """Return, by parent, how many marked children each call hash has."""
        counts: dict[str, dict[bytes, int]] = {}
        for parent, call_hash, count in self._session.execute(
            statements.MARKED_CHILDREN, (as_list(parents),)
        ).fetchall():
            counts.setdefault(parent, {})[call_hash] = count
        return counts

    def results(self, ids: Sequence[str]) -> dict[str, tuple[str, bytes | None, bytes | None]]:
        """Return state, result and error of executions that have ended."""
        rows = self._session.execute(statements.RESULTS, (as_list(ids),)).fetchall()
        return {id: (state, result, error) for id, state, result, error in rows}

    def place(self, id: str) -> tuple[str, str] | None:
        """Return function and state of an execution."""
        row: tuple[str, str] | None = self._session.execute(statements.PLACE, (id,)).fetchone()
        return row

    def start_runner(self, *, name: str, pid: int, version: str) -> None:
        """Record that this runner owns the store."""
        self._session.execute(statements.START_RUNNER, (name, pid, version, self.now()))

    def stop_runner(self, *, name: str) -> None:
        """Record that it stopped in good order."""
        self._session.execute(statements.STOP_RUNNER, (self.now(), name))

    def touch(self) -> None:
        """Write a moment nobody reads: a row that stays as it is would not be written at all."""
        self._session.execute(statements.TOUCH, (self.now(),))

    def make_room(self) -> None:
        """Give up the ballast, and refuse new work."""
        self._ballast.give_up()

    def keep_room(self) -> bool:
        """Lay the ballast again and take new work; False while there is not room enough."""
        return self._ballast.lay_again()

    def stopped_cleanly(self) -> bool:
        """Return whether the last runner stopped in good order, or there was none."""
        row = self._session.execute(statements.STOPPED_CLEANLY).fetchone()
        return row is None or bool(row[0])

    def quick_check(self) -> None:
        """Raise ``StoreError`` when SQLite finds damage."""
        with reporting(self._path):
            answer = self._session.execute("PRAGMA quick_check(1)").fetchone()[0]
        quick_check(answer, self._path)

    def wait_for_disk(self) -> None:
        """Wait while a commit is on its way to the disk."""
        self._session.log_sync.wait()

    def checkpoint_is_due(self) -> bool:
        """Return whether about 4 MB were written ahead since the last checkpoint."""
        return self._session.checkpoint_is_due

    def checkpoint(self) -> None:
        """Fold what was written ahead into the database, without waiting for readers."""
        with reporting(self._path):
            self._session.checkpoint()

    def close(self) -> None:
        """Close the store; raise ``StoreError`` when the log could not be folded into the database, and is kept.

        SQLite folds it too as the last connection closes, but tells nobody of a failure.
        """
        if self._session.is_in_place():
            try:
                self.checkpoint()
            except StoreError:
                self.abandon()
                raise
        self._session.log_sync.close()
        with reporting(self._path):
            self._session.connection.close()

    def abandon(self) -> None:
        """Close the store without a checkpoint.

        After a failed write the kernel may call pages written that are not: a checkpoint would seem to succeed, and
        empty the log that still holds them. SQLite makes one when the last connection closes, unless that only reads.
        """
        self._session.log_sync.close()
        if not self._session.is_in_place():  # SQLite leaves alone what has been moved, and what lies there now
            self._session.connection.close()
            return
        with reporting(self._path):
            last = open_reading(self._path)
            try:
                last.execute("SELECT count(*) FROM sqlite_schema").fetchone()
                self._session.connection.close()
            finally:
                last.close()
