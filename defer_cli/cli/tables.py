"""Tables that fit the terminal: whole, with fewer columns, or a block of lines a row."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import IO

from defer_cli.cli.output import columns_of, fitted, styled, width_of
from defer_cli.domain.visible import visible

_GAP = "  "
_LEAST_KEPT = 12
Styles = Mapping[str, Mapping[str, str]]


def show_table(
    layouts: Sequence[Sequence[str]],
    rows_of: Callable[[int], Sequence[Sequence[str]]],
    *,
    yielding: str,
    enough: int | None = None,
    styles: Styles | None = None,
) -> None:
    """Print the first layout that fits, without empty columns; a block of lines a row where none does.

    ``layouts`` are headings, ``rows_of`` gives the rows of one by its number. The column ``yielding`` is cut to make
    room: to ``enough`` columns of the terminal, not at all by default, and in the last layout to 12. ``styles`` says
    by heading how a cell with this text looks.
    """
    limit = width_of(sys.stdout)
    for number, layout in enumerate(layouts):
        headings, rows = _without_empty(layout, [[visible(cell) for cell in row] for row in rows_of(number)])
        widths = _widths(headings, rows)
        over = 0 if limit is None else max(_total(widths) - limit, 0)
        if over and yielding in headings:
            place = headings.index(yielding)
            least = _LEAST_KEPT if number == len(layouts) - 1 else enough
            if least is not None and widths[place] - over >= least:
                widths[place] -= over
                rows = [[fitted(cell, widths[at]) for at, cell in enumerate(row)] for row in rows]
                over = 0
        if not over:
            _show_lines(headings, rows, widths, sys.stdout, styles or {})
            return
    show_rows(headings, rows)


def _without_empty(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Leave out the columns that hold nothing."""
    kept = [at for at in range(len(headings)) if any(row[at] for row in rows)]
    return [headings[at] for at in kept], [[row[at] for at in kept] for row in rows]


def show_rows(headings: Sequence[str], rows: Sequence[Sequence[str]], *, stream: IO[str] | None = None) -> None:
    """Print a table, or a block of ``heading value`` lines a row where the table would not fit."""
    stream = stream or sys.stdout
    clean = [[visible(cell) for cell in row] for row in rows]
    widths = _widths(headings, clean)
    limit = width_of(stream)
    if limit is None or _total(widths) <= limit:
        _show_lines(headings, clean, widths, stream, {})
        return
    _show_blocks(headings, clean, limit, stream)


def _widths(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(columns_of, column)) for column in zip(headings, *rows, strict=True)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _show_lines(
    headings: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], stream: IO[str], styles: Styles
) -> None:
    looks = [styles.get(heading, {}) for heading in headings]
    print(styled(_line(headings, widths).rstrip(), "bold", stream), file=stream)
    for row in rows:
        print(_line(row, widths, looks, stream).rstrip(), file=stream)


def _show_blocks(headings: Sequence[str], rows: Sequence[Sequence[str]], limit: int, stream: IO[str]) -> None:
    label = max(len(heading) for heading in headings[1:])
    for position, row in enumerate(rows):
        if position:
            print(file=stream)
        print(styled(row[0], "bold", stream), file=stream)
        for heading, cell in zip(headings[1:], row[1:], strict=True):
            if cell:
                show_folded(f"  {heading:<{label}}  ", cell, limit=limit, stream=stream)


def show_folded(lead: str, text: str, *, limit: int | None = None, stream: IO[str] | None = None) -> None:
    """Print harmless ``text`` behind ``lead``, folded to ``limit`` columns, by default those of the terminal."""
    stream = stream or sys.stdout
    limit = limit or width_of(stream)
    if limit is None or columns_of(text) <= limit - len(lead):
        print(lead + text, file=stream)
        return
    room = max(limit - len(lead), 8)
    lines = [line for part in text.replace(", ", ",\n").split("\n") for line in textwrap.wrap(part, room)]
    for position, line in enumerate(lines):
        print((lead if position == 0 else " " * len(lead)) + line, file=stream)


def _line(
    cells: Sequence[str],
    widths: Sequence[int],
    looks: Sequence[Mapping[str, str]] = (),
    stream: IO[str] | None = None,
) -> str:
    padded = []
    for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        style = looks[place].get(cell) if looks else None
        shown = cell if style is None or stream is None else styled(cell, style, stream)
        padded.append(shown + " " * (width - columns_of(cell)))
    return _GAP.join(padded)
