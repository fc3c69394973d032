"""Charts, counters and the choices of filters: each is read from a table that is small whatever is stored."""

from __future__ import annotations

from itertools import takewhile
from sqlite3 import Connection

import msgspec

from defer_cli.domain.paging import Filters, Interval
from defer_cli.domain.states import State
from defer_cli.store.figures import Activity, Counted, Failing
from defer_cli.store.sqlite import figures_statements as statements
from defer_cli.store.sqlite.finding import count_found
from defer_cli.store.sqlite.statements import COUNTS

_decode_ends = msgspec.json.Decoder(list[tuple[int, State, int]]).decode
_decode_runs = msgspec.json.Decoder(list[tuple[int, int]]).decode


def outcomes(connection: Connection, *, from_hour: int) -> dict[tuple[int, State], int]:
    """Return how many executions ended in each hour and state since ``from_hour``."""
    rows = connection.execute(statements.OUTCOMES, (from_hour,)).fetchall()
    return {(hour, State(state)): count for hour, state, count in rows}


def failing(connection: Connection, *, from_hour: int, limit: int) -> list[Failing]:
    """Return the functions with most failures since ``from_hour``, most first."""
    return [Failing(*row) for row in connection.execute(statements.FAILING, (from_hour, limit)).fetchall()]


def activity(connection: Connection, *, from_hour: int, function: str | None) -> dict[str, Activity]:
    """Return what ended since ``from_hour`` of each function, or of one."""
    return {
        name: Activity({(hour, state): count for hour, state, count in _decode_ends(ended)}, dict(_decode_runs(runs)))
        for name, ended, runs in connection.execute(statements.ACTIVITY, (function, from_hour)).fetchall()
        if ended != "[]"
    }


def count(connection: Connection, filters: Filters, *, most: int, after: int | None) -> Counted:
    """Return how many executions pass ``filters``."""
    if after is not None or _looks_closer(filters):
        return count_found(connection, filters, most=most, after=after)
    counted = 0
    for function, state, stored in connection.execute(COUNTS).fetchall():
        if (not filters.states or state in filters.states) and (not filters.functions or function in filters.functions):
            counted += stored
    return Counted(counted, is_more=False)


def metadata_keys(connection: Connection, *, limit: int) -> list[str]:
    """Return the first keys of metadata, in order."""
    return [key for (key,) in connection.execute(statements.METADATA_KEYS, (limit,)).fetchall()]


def metadata_values(connection: Connection, key: str, *, prefix: str, limit: int) -> list[str]:
    """Return the first values of ``key`` that begin with ``prefix``, in order."""
    rows = connection.execute(statements.METADATA_VALUES, (key, prefix, limit)).fetchall()
    return list(takewhile(lambda value: value.startswith(prefix), (value for (value,) in rows)))


def _looks_closer(filters: Filters) -> bool:
    """Whether anything but states and functions narrows a list; empty lists, of whatever type, do not."""
    spans = (filters.scheduled_at, filters.started_at)
    return (
        bool(filters.error_codes or filters.came_from or any(filters.metadata.values()))
        or filters.executed_by is not None
        or filters.parent is not None
        or any(span != Interval() for span in spans)
    )
