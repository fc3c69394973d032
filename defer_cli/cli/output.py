"""How things look on a terminal: stored text made harmless, colour, room, times and spans in words."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import IO, Any

from defer_cli.domain.duration import in_words

_NARROWEST = 20
_USUAL_COLUMNS = 80  # of a terminal that does not say
_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}


def cut(text: str, longest: int) -> str:
    """Return at most ``longest`` characters of ``text``."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def has_colour(stream: IO[str]) -> bool:
    """Return whether ``stream`` is a terminal that wants colour."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def styled(text: str, style: str, stream: IO[str]) -> str:
    """Return ``text`` in ``style`` where ``stream`` shows colour."""
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if has_colour(stream) else text


def linked(text: str, url: str | None, stream: IO[str]) -> str:
    """Return ``text`` as a link where ``stream`` is a terminal; one that knows no links shows the text (OSC 8)."""
    return f"\x1b]8;;{url}\x1b\\{text}\x1b]8;;\x1b\\" if url is not None and has_colour(stream) else text


def columns_of(text: str) -> int:
    """Return how many columns of a terminal ``text`` takes: letters of some scripts take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def fitted(text: str, columns: int) -> str:
    """Return as much of ``text`` as fits into ``columns`` of a terminal."""
    if columns_of(text) <= columns:
        return text
    kept = text[: columns - 1]
    while columns_of(kept) > columns - 1:
        kept = kept[:-1]
    return kept + "…"


def width_of(stream: IO[str]) -> int | None:
    """Return how many columns there are: ``COLUMNS``, the terminal's, or None where nothing limits them."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given) > 0:
        return max(int(given), _NARROWEST)
    try:
        return max(os.get_terminal_size(stream.fileno()).columns or _USUAL_COLUMNS, _NARROWEST)
    except (OSError, ValueError):
        return None


def show_json(document: Any) -> None:
    """Print one JSON document on stdout; letters beyond ASCII are escaped, so it is harmless on a terminal too."""
    import msgspec

    print(msgspec.json.format(json.dumps(document), indent=2))  # json's own indenting is ten times slower


def say(text: str) -> None:
    """Print talk, as opposed to data."""
    print(text, file=sys.stderr)


def moment_words(moment: datetime) -> str:
    """Return a moment in UTC to the minute, with seconds where it has some."""
    utc = moment.astimezone(UTC)
    return utc.strftime("%Y-%m-%d %H:%M:%S UTC" if utc.second else "%Y-%m-%d %H:%M UTC")


def exact_words(moment: datetime) -> str:
    """Return a moment in UTC to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def distance_words(moment: datetime, *, now: datetime) -> str:
    """Return how far a moment is from now: ``in 3d 4h``, ``2m ago``, ``now``."""
    span = moment - now
    if abs(span) < timedelta(seconds=1):
        return "now"
    return _aimed(in_words(abs(_rounded(span))), span)


def short_distance(moment: datetime, *, now: datetime) -> str:
    """Return how far a moment is from now in one unit, at least two of it: ``in 3d``, ``90m ago``, ``12 s ago``."""
    span = moment - now
    seconds = round(abs(span).total_seconds())
    if not seconds:
        return "now"
    for size, smaller, unit in ((86_400, 3_600, "d"), (3_600, 60, "h"), (60, 1, "m")):
        if seconds >= 2 * size - smaller / 2:  # what would round to two of it
            return _aimed(f"{round(seconds / size)}{unit}", span)
    return _aimed(f"{seconds} s", span)


def _aimed(words: str, span: timedelta) -> str:
    return f"in {words}" if span > timedelta(0) else f"{words} ago"


def _rounded(span: timedelta) -> timedelta:
    """Cut what nobody reads in a distance: fractions of seconds."""
    return timedelta(seconds=round(span.total_seconds()))
