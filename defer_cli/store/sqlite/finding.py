"""Finding executions by what a caller asks for, newest first, in a time that does not grow with the store."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from itertools import islice
from sqlite3 import Connection
from time import monotonic
from typing import TypeAlias

from defer_cli.domain.paging import Filters
from defer_cli.store.contract import Found
from defer_cli.store.figures import Counted
from defer_cli.store.sqlite import figures_statements, statements
from defer_cli.store.sqlite.blocks import BLOCK_BITS
from defer_cli.store.sqlite.criteria import Source, block_conditions_of, conditions_of, sources_of
from defer_cli.store.sqlite.rows import execution_of
from defer_cli.store.sqlite.statements import as_list

Span: TypeAlias = tuple[int, int]
"""The lowest and the highest ``seq`` of a stretch, both included."""

LONGEST_SECONDS = 0.1
"""After this a search gives what it has found; it stops between two stretches, so it may take a little longer."""
LONGEST_COUNT_SECONDS = 0.04
_SHORT_SECONDS = 0.002
_FIRST_STRETCH = 16
_BLOCKS_AT_ONCE = 1_024


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
    connection.execute("BEGIN")  # one moment for all that is read
    try:
        search = _Search(connection, filters, is_backward=is_backward)
        stopped_at = search.run(limit, _reach(connection, after, before))
        rows = connection.execute(statements.FIND, (as_list(search.found),)).fetchall()
    finally:
        connection.execute("COMMIT")
    rows.sort(key=lambda row: -row[-1])
    return Found([(row[-1], execution_of(row[:-1])) for row in rows], stopped_at)


def count_found(connection: Connection, filters: Filters, *, most: int, after: int | None) -> Counted:
    """Return how many executions pass ``filters``, up to ``most``, as far as the time for it goes."""
    connection.execute("BEGIN")
    try:
        return _Search(connection, filters, is_backward=False).count(most, _reach(connection, after, None))
    finally:
        connection.execute("COMMIT")


def _reach(connection: Connection, after: int | None, before: int | None) -> Span:
    newest = connection.execute(statements.NEWEST_SEQ).fetchone()[0] or 0
    return (0 if before is None else before + 1), (newest if after is None else min(after - 1, newest))


class _Search:
    """Reads stretch after stretch of neighbours, passing over blocks that hold nothing of what is asked for."""

    def __init__(self, connection: Connection, filters: Filters, *, is_backward: bool) -> None:
        self._connection = connection
        self._order = "ASC" if is_backward else "DESC"
        self._is_backward = is_backward
        self._conditions = conditions_of(filters)
        self._block_conditions = block_conditions_of(connection, filters)
        self._sources = sources_of(connection, filters)
        self._stretch = _FIRST_STRETCH
        self.found: list[int] = []

    def run(self, limit: int, reach: Span) -> int | None:
        """Fill ``found`` in the order of the search; return where it stopped when its time ran out."""
        deadline = monotonic() + LONGEST_SECONDS
        for low, high in self._stretches(reach):
            began = monotonic()
            self.found += self._read(low, high, limit - len(self.found))
            if len(self.found) >= limit:
                return None
            if self._is_over(began, deadline):
                end = high if self._is_backward else low
                return None if end == reach[self._is_backward] else end
        return None

    def count(self, most: int, reach: Span) -> Counted:
        """Return how many there are; a few more than ``most`` are not looked for."""
        deadline = monotonic() + LONGEST_COUNT_SECONDS
        counted = 0
        for low, high in self._stretches(reach):
            began = monotonic()
            for source in self._sources:  # no execution is in two of them
                counted += self._count_source(source, low, high, most + 1 - counted)
            if counted > most:
                return Counted(most, is_more=True)
            if self._is_over(began, deadline):
                is_more = low > reach[0]
                return Counted(counted, is_more=is_more, stopped_at=low if is_more else None)
        return Counted(counted, is_more=False)

    def _is_over(self, began: float, deadline: float) -> bool:
        """Whether time has run out; else the next stretch is longer where the last was quick."""
        now = monotonic()
        if now - began < _SHORT_SECONDS:
            self._stretch *= 2
        return now > deadline

    def _read(self, low: int, high: int, limit: int) -> list[int]:
        parts = [self._read_source(source, low, high, limit) for source in self._sources]
        if len(parts) == 1:
            return parts[0]
        return list(islice(merge(*parts, reverse=not self._is_backward), limit))

    def _read_source(self, source: Source, low: int, high: int, limit: int) -> list[int]:
        statement = statements.FIND_SEQS.format(
            seq=source.seq, source=source.text, conditions=self._conditions_in(source), order=self._order
        )
        parameters = (*source.parameters, low, high, *self._conditions.parameters, limit)
        return [seq for (seq,) in self._connection.execute(statement, parameters).fetchall()]

    def _count_source(self, source: Source, low: int, high: int, limit: int) -> int:
        statement = figures_statements.COUNT_FOUND.format(source=source.text, conditions=self._conditions_in(source))
        parameters = (*source.parameters, low, high, *self._conditions.parameters, limit)
        counted: int = self._connection.execute(statement, parameters).fetchone()[0]
        return counted

    def _conditions_in(self, source: Source) -> str:
        return f"{source.condition} AND {source.seq} BETWEEN ? AND ? AND {self._conditions.text}"

    def _stretches(self, reach: Span) -> Iterator[Span]:
        """Yield what is to be read, in the order of the search, each as long as ``_stretch`` blocks at that time."""
        low, high = reach
        if low > high:
            return
        runs = self._runs(low >> BLOCK_BITS, high >> BLOCK_BITS) if self._block_conditions else iter([None])
        for run in runs:
            lowest, highest = (low >> BLOCK_BITS, high >> BLOCK_BITS) if run is None else run
            while lowest <= highest:
                if self._is_backward:
                    first, last = lowest, min(lowest + self._stretch - 1, highest)
                    lowest = last + 1
                else:
                    first, last = max(highest - self._stretch + 1, lowest), highest
                    highest = first - 1
                yield max(first << BLOCK_BITS, low), min((last + 1 << BLOCK_BITS) - 1, high)

    def _runs(self, first: int, last: int) -> Iterator[Span]:
        """Yield the runs of neighbouring blocks that may hold something, in the order of the search."""
        step = 1 if self._is_backward else -1
        statement = statements.FIND_BLOCKS.format(conditions=self._block_conditions.text, order=self._order)
        start: int | None = None
        previous = 0
        while True:
            parameters = (first, last, *self._block_conditions.parameters, _BLOCKS_AT_ONCE)
            blocks = [block for (block,) in self._connection.execute(statement, parameters).fetchall()]
            for block in blocks:
                if start is None:
                    start = block
                elif block != previous + step:
                    yield min(start, previous), max(start, previous)
                    start = block
                previous = block
            if len(blocks) < _BLOCKS_AT_ONCE:
                break
            if self._is_backward:
                first = previous + 1
            else:
                last = previous - 1
        if start is not None:
            yield min(start, previous), max(start, previous)
