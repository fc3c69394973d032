"""Finding executions by what a caller asks for, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection
from typing import Any

from defer_cli.domain.execution import to_microseconds
from defer_cli.domain.paging import Filters, Interval
from defer_cli.store.contract import Found
from defer_cli.store.sqlite import statements
from defer_cli.store.sqlite.rows import execution_of
from defer_cli.store.sqlite.session import as_list


def find(
    connection: Connection,
    filters: Filters,
    *,
    limit: int,
    after: int | None,
    before: int | None,
    is_backward: bool,
) -> Found:
    """Return up to ``limit`` executions that pass ``filters``, newest first."""
    conditions: list[str] = ["1"]
    parameters: list[Any] = []

    def add(condition: str, *values: Any) -> None:
        conditions.append(condition)
        parameters.extend(values)

    def one_of(column: str, values: Sequence[str]) -> None:
        if values:
            add(f"{column} IN (SELECT value FROM json_each(?))", as_list(list(map(str, values))))

    def within(column: str, interval: Interval) -> None:
        if interval.from_ is not None:
            add(f"{column} >= ?", to_microseconds(interval.from_))
        if interval.to is not None:
            add(f"{column} <= ?", to_microseconds(interval.to))

    one_of("e.state", filters.states)
    one_of("e.function", filters.functions)
    one_of("e.error_code", filters.error_codes)
    one_of("e.came_from", filters.came_from)
    within("e.scheduled_us", filters.scheduled_at)
    within("e.started_us", filters.started_at)
    if filters.executed_by is not None:
        add("e.runner = ?", filters.executed_by)
    if filters.parent is not None:
        add("e.parent = ?", filters.parent)
    for key, values in filters.metadata.items():
        if values:
            add(
                "EXISTS (SELECT 1 FROM metadata AS m WHERE m.seq = e.seq AND m.key = ?"
                " AND m.value IN (SELECT value FROM json_each(?)))",
                key,
                as_list(list(values)),
            )
    if after is not None:
        add("e.seq < ?", after)
    if before is not None:
        add("e.seq > ?", before)
    statement = statements.FIND.format(conditions=" AND ".join(conditions), order="ASC" if is_backward else "DESC")
    rows = connection.execute(statement, (*parameters, limit)).fetchall()
    if is_backward:
        rows.reverse()
    return Found([(row[-1], execution_of(row[:-1])) for row in rows])
