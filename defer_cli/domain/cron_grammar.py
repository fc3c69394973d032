"""What a cron expression says: the five fields of ``man 5 crontab``, read strictly, and their canonical form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

LONGEST_TEXT = 256
BLANKS = " \t"
NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
LONGEST_MONTHS = {1: 31, 2: 29, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}

_FOREIGN = re.compile(r"[^\t\x20-\x7e]")
_PART = re.compile(r"(?:(?P<star>\*)|(?P<first>[0-9A-Za-z]+)(?:-(?P<last>[0-9A-Za-z]+))?)(?:/(?P<step>[0-9]+))?")
_NUMBER = re.compile(r"[0-9]+")

Kind: TypeAlias = Literal[
    "length", "character", "nickname", "count", "part", "value", "step", "start with step", "descending", "never"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One of the five fields; ``names`` stand for the values from ``low`` on."""

    name: str
    plural: str
    low: int
    high: int
    span: int
    names: tuple[str, ...] = ()

    @property
    def every(self) -> frozenset[int]:
        return frozenset(range(self.low, self.low + self.span))


_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

MINUTE = Field(name="minute", plural="minutes", low=0, high=59, span=60)
HOUR = Field(name="hour", plural="hours", low=0, high=23, span=24)
DAY = Field(name="day of month", plural="days of month", low=1, high=31, span=31)
MONTH = Field(name="month", plural="months", low=1, high=12, span=12, names=_MONTH_NAMES)
WEEKDAY = Field(name="weekday", plural="weekdays", low=0, high=7, span=7, names=_WEEKDAY_NAMES)
FIELDS = (MINUTE, HOUR, DAY, MONTH, WEEKDAY)


class Breach(Exception):
    """Where a text leaves the grammar: the field, the part of its list, and the culprit in that part."""

    def __init__(self, kind: Kind, *, field: Field | None = None, part: str = "", culprit: str = "") -> None:
        super().__init__(kind, field, part, culprit)
        self.kind = kind
        self.field = field
        self.part = part
        self.culprit = culprit


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When a cron fires, in its one reduced form: equal meanings have equal ``Times``.

    ``either_day``: a day fires when its day of month or its weekday matches; else both must. A field that does not
    restrict holds all its values.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    @property
    def has_two_day_fields(self) -> bool:
        return self.days != DAY.every and self.weekdays != WEEKDAY.every


def read_times(text: str) -> Times:
    """Return what ``text`` (trimmed) says; raise ``Breach`` where it is outside the grammar or never fires."""
    fields = split_fields(text)
    minutes, hours, days, months, weekdays = (
        read_field(words, field) for words, field in zip(fields, FIELDS, strict=True)
    )
    # man 5 crontab: either of the two day fields is enough, unless one begins with a star
    either = not (fields[2].startswith("*") or fields[4].startswith("*"))
    days, months, weekdays, either = _reduced_days(days, months, weekdays, either_day=either)
    return Times(minutes=minutes, hours=hours, days=days, months=months, weekdays=weekdays, either_day=either)


def split_fields(text: str) -> list[str]:
    """Return the five fields of ``text``, its nickname expanded."""
    if len(text) > LONGEST_TEXT:
        raise Breach("length")
    foreign = _FOREIGN.search(text)
    if foreign:
        raise Breach("character", culprit=foreign.group())
    if text.startswith("@") and text not in NICKNAMES:
        raise Breach("nickname", culprit=text)
    fields = NICKNAMES.get(text, text).replace("\t", " ").split()
    if len(fields) != len(FIELDS):
        raise Breach("count")
    return fields


def read_field(words: str, field: Field) -> frozenset[int]:
    """Return the values of a comma list."""
    return frozenset(value for part in words.split(",") for value in _part_values(part, field))


def _part_values(part: str, field: Field) -> set[int]:
    match = _PART.fullmatch(part)
    if match is None:
        raise Breach("part", field=field, part=part)
    first, last, step = match["first"], match["last"], match["step"]
    low, high = field.low, field.high
    if first:
        low = _value(first, field, part)
        high = _value(last, field, part) if last else low
    if low > high:
        raise Breach("descending", field=field, part=part)
    if step and first and not last:
        raise Breach("start with step", field=field, part=part)
    if step and not 1 <= int(step) <= field.span:
        raise Breach("step", field=field, part=part, culprit=step)
    values = set(range(low, high + 1, int(step or 1)))
    return {value % 7 for value in values} if field is WEEKDAY else values


def _value(word: str, field: Field, part: str) -> int:
    if word.lower() in field.names:
        return field.names.index(word.lower()) + field.low
    if not _NUMBER.fullmatch(word):
        raise Breach("part", field=field, part=part)
    if not field.low <= int(word) <= field.high:
        raise Breach("value", field=field, part=part, culprit=word)
    return int(word)


def _reduced_days(
    days: frozenset[int], months: frozenset[int], weekdays: frozenset[int], *, either_day: bool
) -> tuple[frozenset[int], frozenset[int], frozenset[int], bool]:
    """Leave out the days that no month has and the months that have no day, and settle the rule where it is idle."""
    if either_day:
        days = _days_that_exist(days, months)
        if days == DAY.every or weekdays == WEEKDAY.every:
            return DAY.every, months, WEEKDAY.every, False
        if days:
            return days, months, weekdays, True
        return DAY.every, months, weekdays, False
    months = frozenset(month for month in months if min(days) <= LONGEST_MONTHS[month])
    if not months:
        raise Breach("never", field=DAY)
    return _days_that_exist(days, months), months, weekdays, False


def _days_that_exist(days: frozenset[int], months: frozenset[int]) -> frozenset[int]:
    existing = frozenset(range(1, max(LONGEST_MONTHS[month] for month in months) + 1))
    return DAY.every if days >= existing else days & existing


def canonical_form(times: Times) -> str:
    """Return the five-field text that all expressions of this meaning share; it reads as the same times."""
    fields = list_values(times)
    if times.has_two_day_fields and not times.either_day:
        # Both must match, so one field has to begin with a star: */31 is day 1 alone, */7 is Sunday alone. Without
        # day 1 the rule can only have come from the weekday's star, and so Sunday is there.
        index, star, first = (2, "*/31", 1) if 1 in times.days else (4, "*/7", 0)
        values = (times.days, times.weekdays)[index == 4]
        fields[index] = ",".join([star, *(str(value) for value in sorted(values - {first}))])
    return " ".join(fields)


def list_values(times: Times) -> list[str]:
    """Return the fields: ``*`` where all values are in, else their sorted list."""
    sets = (times.minutes, times.hours, times.days, times.months, times.weekdays)
    return [
        "*" if values == field.every else ",".join(str(value) for value in sorted(values))
        for values, field in zip(sets, FIELDS, strict=True)
    ]
