"""How things look on a terminal: tables that fit, stored text made harmless, times and spans in words."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import IO, Any

from defer_cli.domain.duration import in_words

_GAP = "  "
_NARROWEST = 20
_JOINERS = "\u200c\u200d"  # they shape letters and emoji, and move nothing
_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def visible(text: str) -> str:
    """Return stored text as one harmless line: controls, escapes, bidi marks and line ends are spelled out."""
    if text.isprintable():
        return text
    return "".join([letter if _is_harmless(letter) else _spelled(letter) for letter in text])


def _is_harmless(letter: str) -> bool:
    return (
        letter.isprintable() or letter in _JOINERS or (letter.isspace() and letter > "\x9f" and not _ends_line(letter))
    )


def _ends_line(letter: str) -> bool:
    return letter in "\u2028\u2029"


def _spelled(letter: str) -> str:
    code = ord(letter)
    if letter in _NAMED:
        return _NAMED[letter]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def cut(text: str, longest: int) -> str:
    """Return at most ``longest`` characters of ``text``."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def has_colour(stream: IO[str]) -> bool:
    """Return whether ``stream`` is a terminal that wants colour."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def styled(text: str, style: str, stream: IO[str]) -> str:
    """Return ``text`` in ``style`` where ``stream`` shows colour."""
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if has_colour(stream) else text


def width_of(stream: IO[str]) -> int | None:
    """Return how many columns there are: ``COLUMNS``, the terminal's, or None where nothing limits them."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given) > 0:
        return max(int(given), _NARROWEST)
    try:
        return max(os.get_terminal_size(stream.fileno()).columns, _NARROWEST)
    except (OSError, ValueError):
        return None


def show_rows(headings: Sequence[str], rows: Sequence[Sequence[str]], *, stream: IO[str] | None = None) -> None:
    """Print a table, or a block of ``heading value`` lines a row where the table would not fit."""
    stream = stream or sys.stdout
    clean = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(_columns, column)) for column in zip(headings, *clean, strict=True)]
    limit = width_of(stream)
    if limit is None or sum(widths) + len(_GAP) * (len(widths) - 1) <= limit:
        print(styled(_line(headings, widths), "bold", stream), file=stream)
        for row in clean:
            print(_line(row, widths), file=stream)
        return
    _show_blocks(headings, clean, limit, stream)


def _show_blocks(headings: Sequence[str], rows: Sequence[Sequence[str]], limit: int, stream: IO[str]) -> None:
    label = max(len(heading) for heading in headings[1:])
    for position, row in enumerate(rows):
        if position:
            print(file=stream)
        print(styled(row[0], "bold", stream), file=stream)
        for heading, cell in zip(headings[1:], row[1:], strict=True):
            if cell:
                _show_folded(f"  {heading:<{label}}  ", cell, limit, stream)


def _show_folded(lead: str, text: str, limit: int, stream: IO[str]) -> None:
    import textwrap

    room = max(limit - len(lead), 8)
    parts = [text] if _columns(text) <= room else text.replace(", ", ",\n").split("\n")
    lines = [line for part in parts for line in textwrap.wrap(part, room)]
    for position, line in enumerate(lines):
        print((lead if position == 0 else " " * len(lead)) + line, file=stream)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell + " " * (width - _columns(cell)) for cell, width in zip(cells, widths, strict=True)]
    return _GAP.join(padded).rstrip()


def _columns(text: str) -> int:
    """Return how many columns of a terminal ``text`` takes: letters of some scripts take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def show_json(document: Any) -> None:
    """Print one JSON document on stdout; letters beyond ASCII are escaped, so it is harmless on a terminal too."""
    print(json.dumps(document, indent=2))


def say(text: str) -> None:
    """Print talk, as opposed to data."""
    print(text, file=sys.stderr)


def moment_words(moment: datetime) -> str:
    """Return a moment in UTC to the minute, with seconds where it has some."""
    utc = moment.astimezone(UTC)
    return utc.strftime("%Y-%m-%d %H:%M:%S UTC" if utc.second else "%Y-%m-%d %H:%M UTC")


def distance_words(moment: datetime, *, now: datetime) -> str:
    """Return how far a moment is from now: ``in 3d 4h``, ``2m ago``, ``now``."""
    span = moment - now
    if abs(span) < timedelta(seconds=1):
        return "now"
    words = in_words(abs(_rounded(span)))
    return f"in {words}" if span > timedelta(0) else f"{words} ago"


def _rounded(span: timedelta) -> timedelta:
    """Cut what nobody reads in a distance: fractions of seconds."""
    return timedelta(seconds=round(span.total_seconds()))
