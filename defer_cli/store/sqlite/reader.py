"""The reading side of the SQLite engine: each answer is one short statement, read to its end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from defer_cli.domain.alert import Undelivered
from defer_cli.domain.execution import Attempt, Execution
from defer_cli.domain.paging import Filters
from defer_cli.domain.retention import Round
from defer_cli.domain.states import State
from defer_cli.store.contract import Found, Gap, LogLine, LogPart, RunnerRecord, Waiting
from defer_cli.store.figures import Activity, Counted, Failing
from defer_cli.store.sqlite import figures, finding, outbox_statements, pruning, statements, waiting_statements
from defer_cli.store.sqlite.connection import open_reading, reporting
from defer_cli.store.sqlite.inserting import NO_ARGUMENTS
from defer_cli.store.sqlite.migrations import MIGRATIONS, check_is_known, check_is_ours, schema_version
from defer_cli.store.sqlite.rows import attempt_of, execution_of, last_attempt_of

_LEAST_SHARE = 100
_WITH_OUTBOX = 4
"""The first schema that has one: a database is also looked at before its next owner migrates it."""
_decode_lines = msgspec.msgpack.Decoder(list[tuple[int, str, str]]).decode


def open_reader(path: Path) -> SqliteReader:
    """Open the database to read; raise ``StoreError`` for one that is not ours, or newer."""
    with reporting(path):
        connection = open_reading(path)
        try:
            check_is_ours(connection, path)
            check_is_known(schema_version(connection), path)
            return SqliteReader(connection, path)
        except BaseException:
            connection.close()
            raise


class SqliteReader:
    """A connection that cannot write; used by one thread at a time."""

    def __init__(self, connection: Any, path: Path) -> None:
        self._connection = connection
        self._path = path

    def get(self, id: str) -> Execution | None:
        """Return one execution."""
        rows = self._read(statements.GET, id)
        return execution_of(rows[0]) if rows else None

    def find(
        self,
        filters: Filters,
        *,
        limit: int,
        after: int | None = None,
        before: int | None = None,
        is_backward: bool = False,
    ) -> Found:
        """Return up to ``limit`` executions that pass ``filters``, newest first."""
        with reporting(self._path):
            return finding.find(
                self._connection, filters, limit=limit, after=after, before=before, is_backward=is_backward
            )

    def attempts(self, id: str) -> list[Attempt]:
        """Return the attempts of an execution, oldest first, the running one included."""
        # The last one is read first: if it ends in between, it is found among the others.
        last = self._read(statements.ATTEMPTS_LAST, id)
        attempts = [attempt_of(id, *row) for row in self._read(statements.ATTEMPTS, id)]
        known = attempts[-1].number if attempts else 0
        return attempts + [last_attempt_of(id, *row) for row in last if row[0] > known]

    def payload(self, id: str) -> tuple[bytes, bytes | None, bytes | None] | None:
        """Return arguments, result and error (JSON)."""
        for arguments, result, error in self._read(statements.PAYLOAD, id):
            return NO_ARGUMENTS if arguments is None else arguments, result, error
        return None

    def previews(self, ids: Sequence[str], *, most: int) -> dict[str, tuple[bytes | None, int]]:
        """Return arguments (JSON) and their length, by id; what is longer than ``most`` is not read at all."""
        told: dict[str, tuple[bytes | None, int]] = {}
        for id, arguments, size, kept in self._read(statements.PREVIEWS, most, statements.as_list(ids)):
            if size is None:
                arguments = NO_ARGUMENTS if arguments is None else arguments
                told[id] = arguments if len(arguments) <= most else None, len(arguments)
            else:
                told[id] = kept, size
        return told

    def log_lines(self, id: str, *, attempt: int | None = None) -> list[LogLine]:
        """Return what an execution printed, in order; the last line of an attempt tells how many were dropped."""
        lines: list[LogLine] = []
        dropped: dict[int, int] = {}
        last_us: dict[int, int] = {}
        for number, chunk, missing in self._read(statements.LOG_LINES, id, attempt):
            decoded = _decode_lines(chunk)
            lines += [LogLine(number, at_us, stream, text) for at_us, stream, text in decoded]
            dropped[number] = dropped.get(number, 0) + missing
            last_us[number] = decoded[-1][0] if decoded else last_us.get(number, 0)
        lines += [_dropped(number, last_us[number], count) for number, count in dropped.items() if count]
        lines.sort(key=lambda line: line.attempt)
        return lines

    def log_after(
        self, id: str, seen: Mapping[int, int], *, attempt: int | None = None, most_bytes: int
    ) -> list[LogPart]:
        """Return the parts of a log that are new to whoever has ``seen`` others, in order."""
        parts: list[LogPart] = []
        room = most_bytes
        with reporting(self._path):
            rows = self._connection.execute(statements.LOG_AFTER, (id, attempt, json.dumps(list(seen.items()))))
            for number, part, chunk, missing in rows:
                room -= len(chunk)
                if room < 0 and parts:
                    break
                lines = [LogLine(number, at_us, stream, text) for at_us, stream, text in _decode_lines(chunk)]
                if missing:
                    lines.append(_dropped(number, lines[-1].at_us if lines else 0, missing))
                parts.append(LogPart(number, part, lines))
            rows.close()
        return parts

    def counts(self) -> dict[tuple[str, State], int]:
        """Return how many executions each function has in each state, those above 0."""
        return {(function, State(state)): count for function, state, count in self._read(statements.COUNTS)}

    def last_executions(self) -> dict[str, Execution]:
        """Return the newest execution of each function."""
        return {row[1]: execution_of(row) for row in self._read(statements.LAST_EXECUTIONS)}

    def count_due(self, *, now_us: int, functions: Sequence[str] | None = None, without: Sequence[str] = ()) -> int:
        """Return how many created executions are due; of ``functions``, or of all but ``without``."""
        if functions is None:
            functions = self._waiting_functions()
        due = 0
        for function in set(functions) - set(without):
            due += self._read(waiting_statements.COUNT_DUE, function, now_us)[0][0]
        return due

    def count_waiting(self, *, now_us: int, limit: int) -> dict[str, Waiting]:
        """Return how many created executions of each function are due, and how many are not yet."""
        share = max(limit // max(len(self._waiting_functions()), 1), _LEAST_SHARE)
        has_shared = self._read(waiting_statements.HAS_SHARED)[0][0]  # of which function, only a long look would tell
        told = {}
        for function, count, later, due in self._read(waiting_statements.COUNT_WAITING, now_us, share, limit):
            if later < share:
                told[function] = Waiting(due, later)
            elif due < share and not has_shared:
                told[function] = Waiting(due, count - due)
            else:
                told[function] = Waiting(due, later, max(count - due - later, 0))
        return told

    def count_waiting_retries(self) -> int:
        """Return how many executions wait for a retry."""
        return sum(
            self._read(waiting_statements.COUNT_WAITING_RETRIES, function)[0][0]
            for function in self._waiting_functions()
        )

    def count_coming_retries(self, *, now_us: int, limit: int) -> int:
        """Return how many of the ``limit`` executions of each function that are due next wait for a retry."""
        return sum(
            self._read(waiting_statements.COUNT_COMING_RETRIES, function, now_us, limit)[0][0]
            for function in self._waiting_functions()
        )

    def oldest_due_us(self, *, now_us: int) -> int | None:
        """Return since when the execution that is due longest waits."""
        heads = [
            self._read(waiting_statements.OLDEST_DUE_US, function, now_us)[0][0]
            for function in self._waiting_functions()
        ]
        heads.append(self._read(waiting_statements.OLDEST_SHARED_US, now_us)[0][0])
        return min((head for head in heads if head is not None), default=None)

    def last_runner(self) -> RunnerRecord | None:
        """Return the runner that started last."""
        rows = self._read(statements.LAST_RUNNER)
        return RunnerRecord(*rows[0]) if rows else None

    @property
    def is_current(self) -> bool:
        """Whether the schema is the newest that this version knows."""
        return self.schema_version() == len(MIGRATIONS)

    def schema_version(self) -> int:
        """Return the version of the schema the database has."""
        with reporting(self._path):
            return schema_version(self._connection)

    def count_children(self, parent: str) -> dict[State, int]:
        """Return how many children of an execution are in each state."""
        return {State(state): count for state, count in self._read(statements.COUNT_CHILDREN, parent)}

    def ticks(self, function: str, *, limit: int) -> list[int]:
        """Return the newest ticks of a cron."""
        return [tick_us for (tick_us,) in self._read(statements.TICKS, function, limit)]

    def gaps(self, function: str | None = None, *, limit: int) -> list[Gap]:
        """Return the newest gaps."""
        return [Gap(*row) for row in self._read(statements.GAPS, function, limit)]

    def paused(self) -> dict[str, int]:
        """Return since when crons are paused, by function."""
        return dict(self._read(statements.PAUSED))

    def undelivered(self, *, since_us: int) -> Undelivered:
        """Return what waits of alerts, and what was given up since a moment."""
        if self.schema_version() < _WITH_OUTBOX:
            return Undelivered()
        ((waiting, oldest_us),) = self._read(outbox_statements.UNDELIVERED)
        ((given_up,),) = self._read(outbox_statements.GIVEN_UP, since_us)
        problem = self._read(outbox_statements.LAST_PROBLEM, since_us)
        return Undelivered(
            waiting=waiting, oldest_us=oldest_us, given_up=given_up, problem=problem[0][0] if problem else None
        )

    def last_round(self) -> Round | None:
        """Return what the last round of retention came to."""
        with reporting(self._path):
            return pruning.last_round(self._connection)

    def count_kept(self) -> int:
        """Return how many have finished and stay because their parent has not."""
        with reporting(self._path):
            return pruning.count_kept(self._connection)

    def outcomes(self, *, from_hour: int) -> dict[tuple[int, State], int]:
        """Return how many executions ended in each hour and state."""
        with reporting(self._path):
            return figures.outcomes(self._connection, from_hour=from_hour)

    def failing(self, *, from_hour: int, limit: int) -> list[Failing]:
        """Return the functions with most failures."""
        with reporting(self._path):
            return figures.failing(self._connection, from_hour=from_hour, limit=limit)

    def activity(self, *, from_hour: int, function: str | None = None) -> dict[str, Activity]:
        """Return what ended of each function, or of one."""
        with reporting(self._path):
            return figures.activity(self._connection, from_hour=from_hour, function=function)

    def count(self, filters: Filters, *, most: int, after: int | None = None) -> Counted:
        """Return how many executions pass ``filters``."""
        with reporting(self._path):
            return figures.count(self._connection, filters, most=most, after=after)

    def metadata_keys(self, *, limit: int) -> list[str]:
        """Return the first keys of metadata."""
        with reporting(self._path):
            return figures.metadata_keys(self._connection, limit=limit)

    def metadata_values(self, key: str, *, prefix: str = "", limit: int) -> list[str]:
        """Return the first values of ``key`` that begin with ``prefix``."""
        with reporting(self._path):
            return figures.metadata_values(self._connection, key, prefix=prefix, limit=limit)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _waiting_functions(self) -> list[str]:
        return [function for function, state in self.counts() if state is State.CREATED]

    def _read(self, statement: str, *parameters: object) -> list[Any]:
        with reporting(self._path):
            rows: list[Any] = self._connection.execute(statement, parameters).fetchall()
            return rows


def _dropped(attempt: int, at_us: int, count: int) -> LogLine:
    return LogLine(attempt, at_us, "defer", f"{count:,} lines dropped")
