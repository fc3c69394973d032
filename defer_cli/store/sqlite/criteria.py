"""What a caller's filters mean in SQL: conditions on an execution, and on the block it lies in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sqlite3 import Connection
from typing import Any

from defer_cli.domain.execution import to_microseconds
from defer_cli.domain.paging import Filters, Interval
from defer_cli.store.sqlite import statements
from defer_cli.store.sqlite.blocks import CODE_BITS, OTHER_CODE, SOURCE_BITS, SPAN_BITS, STATE_BITS
from defer_cli.store.sqlite.statements import as_list

_EARLIEST, _LATEST = -(1 << 61), 1 << 61
_MOST_COUNTED = 2_000


class Conditions:
    """Conditions that must all hold, with their parameters in order."""

    def __init__(self) -> None:
        self._conditions: list[str] = []
        self.parameters: list[Any] = []

    def __bool__(self) -> bool:
        return bool(self._conditions)

    @property
    def text(self) -> str:
        """They as one expression."""
        return " AND ".join(self._conditions) or "1"

    def add(self, condition: str, *parameters: Any) -> None:
        """Ask for one more."""
        self._conditions.append(condition)
        self.parameters.extend(parameters)


class Source:
    """Where a search reads: the table, or an index that holds fewer. Each gives its executions in order of ``seq``."""

    def __init__(self, text: str, seq: str, condition: str, *parameters: Any) -> None:
        self.text = text
        self.seq = seq
        self.condition = condition
        self.parameters = parameters


def sources_of(connection: Connection, filters: Filters) -> list[Source]:
    """Return the places to read, each in order; together they hold everything that can match."""
    table = "executions AS e"
    if filters.parent is not None:
        return [Source(table, "e.seq", "e.parent = ?", filters.parent)]
    pairs = next(((key, values) for key, values in filters.metadata.items() if values), None)
    functions = list(filters.functions)
    if pairs is not None and not (functions and _is_smaller(connection, functions, *pairs)):
        key, values = pairs
        source = "metadata AS m CROSS JOIN executions AS e ON e.seq = m.seq"
        return [Source(source, "m.seq", "m.key = ? AND m.value = ?", key, value) for value in set(values)]
    if functions:
        indexed = "executions AS e INDEXED BY executions_of_function"
        return [Source(indexed, "e.seq", "e.function = ?", function) for function in set(functions)]
    return [Source(table, "e.seq", "1")]


def conditions_of(filters: Filters) -> Conditions:
    """Return what an execution ``e`` must be like."""
    found = Conditions()
    _one_of(found, "e.state", filters.states)
    _one_of(found, "e.function", filters.functions)
    _one_of(found, "e.error_code", filters.error_codes)
    _one_of(found, "e.came_from", filters.came_from)
    _within(found, "e.scheduled_us", filters.scheduled_at)
    _within(found, "e.started_us", filters.started_at)
    if filters.executed_by is not None:
        found.add("e.runner = ?", filters.executed_by)
    if filters.parent is not None:
        found.add("e.parent = ?", filters.parent)
    for key, values in filters.metadata.items():
        if values:
            found.add(
                f"EXISTS (SELECT 1 FROM metadata AS pair WHERE pair.key = ? AND pair.value IN ({_marks(values)})"  # noqa: S608  # marks only
                " AND pair.seq = e.seq)",
                key,
                *values,
            )
    return found


def block_conditions_of(connection: Connection, filters: Filters) -> Conditions:
    """Return what a block must be like to hold anything that matches; none: every block may."""
    found = Conditions()
    for column, values, bits, other in (
        ("states", filters.states, STATE_BITS, 0),
        ("sources", filters.came_from, SOURCE_BITS, 0),
        ("codes", filters.error_codes, CODE_BITS, OTHER_CODE),
    ):
        if values:
            found.add(f"{column} & ?", _mask(bits.get(str(value), other) for value in values))
    due, started = _span(filters.scheduled_at), _span(filters.started_at)
    if due is not None:
        found.add("((due_min <= ? AND due_max >= ?) OR (later_min <= ? AND later_max >= ?))", *due, *due)
    if started is not None:
        found.add("started_min <= ? AND started_max >= ?", *started)
    if filters.executed_by is not None:
        numbers = [0, *(row[0] for row in connection.execute(statements.RUNNER_NUMBERS, (filters.executed_by,)))]
        found.add(
            "EXISTS (SELECT 1 FROM json_each(?) AS wanted WHERE wanted.value BETWEEN runner_min AND runner_max)",
            as_list(numbers),
        )
    return found


def _is_smaller(connection: Connection, functions: Sequence[str], key: str, values: Sequence[str]) -> bool:
    """Whether ``functions`` have far fewer executions than have these metadata, counting no further than it helps."""
    of_functions = connection.execute(statements.COUNT_OF_FUNCTIONS, (as_list(functions),)).fetchone()[0] or 0
    with_pair = 0
    for value in set(values):
        with_pair += connection.execute(statements.COUNT_OF_PAIR, (key, value, _MOST_COUNTED)).fetchone()[0]
    return with_pair >= _MOST_COUNTED and of_functions < with_pair * 100


def _one_of(found: Conditions, column: str, values: Sequence[str]) -> None:
    if values:
        found.add(f"{column} IN ({_marks(values)})", *map(str, values))


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def _within(found: Conditions, column: str, interval: Interval) -> None:
    if interval.from_ is not None:
        found.add(f"{column} >= ?", to_microseconds(interval.from_))
    if interval.to is not None:
        found.add(f"{column} <= ?", to_microseconds(interval.to))


def _span(interval: Interval) -> tuple[int, int] | None:
    """Return (latest, earliest) in the units of blocks, None for an interval without ends."""
    if interval.from_ is None and interval.to is None:
        return None
    return (
        _LATEST if interval.to is None else to_microseconds(interval.to) >> SPAN_BITS,
        _EARLIEST if interval.from_ is None else to_microseconds(interval.from_) >> SPAN_BITS,
    )


def _mask(bits: Iterable[int]) -> int:
    mask = 0
    for bit in bits:
        mask |= bit
    return mask
