"""Spans of time in words: ``"1h30m"``, ``"5 min"``, seconds as a number, or a timedelta."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from defer_cli.domain.errors import SettingError

Duration: TypeAlias = str | int | float | timedelta
When: TypeAlias = Duration | datetime

LONGEST = timedelta(days=36_500)

_UNITS: dict[str, float] = {}
for _names, _seconds in (
    ("ns nanosecond nanoseconds", 1e-9),
    ("us \u00b5s \u03bcs microsecond microseconds", 1e-6),
    ("ms millisecond milliseconds", 1e-3),
    ("s sec secs second seconds", 1.0),
    ("m min mins minute minutes", 60.0),
    ("h hr hrs hour hours", 3600.0),
    ("d day days", 86_400.0),
    ("w wk wks week weeks", 604_800.0),
):
    for _name in _names.split():
        _UNITS[_name] = _seconds

_UNFIXED = frozenset("mo month months b y yr yrs year years".split())
"""Units of the JavaScript client that differ in length; it takes the average, we ask."""

_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z\u00b5\u03bc]+)\s*,?", re.ASCII | re.IGNORECASE)
_MEND = 'write it like "30s", "5 min", "1h30m" or "7 days", or give seconds as a number'


def parse_duration(value: object, *, where: str) -> timedelta:
    """Return ``value`` as a timedelta; raise ``SettingError`` naming ``where`` when it is no duration."""
    if isinstance(value, timedelta):
        return _checked(value, value, where)
    if isinstance(value, bool):
        raise SettingError(f"{value!r} is not a duration", where=where, mend=_MEND)
    if isinstance(value, int | float):
        if not abs(value) <= LONGEST.total_seconds():  # so written, NaN is refused too
            raise SettingError(f"{value!r} is not a duration", where=where, mend="use at most 100 years")
        return _checked(timedelta(seconds=value), value, where)
    if isinstance(value, str):
        return _checked(_from_words(value, where), value, where)
    raise SettingError(f"a {type(value).__name__} is not a duration: {value!r}", where=where, mend=_MEND)


def _from_words(text: str, where: str) -> timedelta:
    seconds, position = 0.0, 0
    stripped = text.strip()
    while position < len(stripped):
        part = _PART.match(stripped, position)
        unit = part.group(2).lower() if part else ""
        factor = _UNITS.get(unit)
        if unit in _UNFIXED:
            mend = 'write days, e.g. "30 days" or "365 days"'
            raise SettingError(f"{text!r} is not a duration: months and years differ in length", where=where, mend=mend)
        if part is None or factor is None:
            raise SettingError(f"{text!r} is not a duration", where=where, mend=_MEND)
        seconds += float(part.group(1)) * factor
        position = part.end()
    if not stripped or seconds > LONGEST.total_seconds():
        raise SettingError(f"{text!r} is not a duration", where=where, mend=_MEND)
    return timedelta(seconds=seconds)


def _checked(span: timedelta, given: object, where: str) -> timedelta:
    if span < timedelta(0):
        raise SettingError(f"{given!r} is a negative duration", where=where, mend="use zero or more")
    if span > LONGEST:
        raise SettingError(f"{given!r} is a very long duration", where=where, mend="use at most 100 years")
    return span


def parse_when(value: object, *, where: str, now: datetime) -> datetime:
    """Return the moment ``value`` names: an aware datetime as it is, a duration counted from ``now``."""
    if isinstance(value, datetime):
        if value.tzinfo is None or value.utcoffset() is None:
            raise SettingError(
                f"{value.isoformat()} has no time zone",
                where=where,
                mend="use an aware datetime, e.g. datetime.now(UTC) + timedelta(hours=1)",
            )
        try:
            return value.astimezone(UTC)
        except OverflowError:
            raise SettingError(
                f"{value.isoformat()} is beyond the calendar in UTC",
                where=where,
                mend="use a moment before the year 9999",
            ) from None
    return now + parse_duration(value, where=where)


def in_words(span: timedelta) -> str:
    """Return ``span`` for a person, in at most two units: ``"38 ms"``, ``"1m 30s"``, ``"2d 4h"``."""
    seconds = span.total_seconds()
    if 0 < seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.995:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    whole = round(seconds)
    for size, unit, small, small_unit in ((86_400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            rest = whole % size // small
            return f"{whole // size}{unit} {rest}{small_unit}" if rest else f"{whole // size}{unit}"
    raise AssertionError(whole)
