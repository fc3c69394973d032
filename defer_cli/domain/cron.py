"""When a cron fires: five-field expressions in UTC, meant as ``man 5 crontab`` means them."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from defer_cli.domain.cron_grammar import (
    BLANKS,
    FIELDS,
    Breach,
    Field,
    Times,
    canonical_form,
    list_values,
    read_times,
)
from defer_cli.domain.errors import CronError


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression: ``text`` as its author wrote it, ``canonical`` as the key of what it means."""

    text: str
    canonical: str

    @classmethod
    def parse(cls, text: object) -> Cron:
        """Read ``text``; raise ``CronError`` with a mend when it is not valid or can never fire."""
        if not isinstance(text, str):
            raise CronError(
                f"cron is not a string but of type {type(text).__name__}",
                mend="write five fields in quotes: '0 8 * * MON'",
            )
        trimmed = text.strip(BLANKS)
        try:
            return cls(trimmed, canonical_form(read_times(trimmed)))
        except Breach as breach:
            from defer_cli.domain.cron_mends import explain

            raise explain(trimmed, breach) from None

    def next(self, after: datetime) -> datetime:
        """Return the first tick later than ``after``; raise ``CronError`` when the calendar has none."""
        _check_moment(after)
        start = after.replace(second=0, microsecond=0, tzinfo=None)
        tick = _nearest_tick(self.canonical, start, is_forward=True)
        if tick is None:
            raise CronError(
                f"cron has no tick after {after.isoformat()}: {self.text!r}",
                mend="the calendar ends with the year 9999; check the clock",
            )
        return tick

    def previous(self, before: datetime) -> datetime:
        """Return the last tick earlier than ``before``; raise ``CronError`` when the calendar has none."""
        _check_moment(before)
        # Ticks are whole minutes: any instant inside a minute has the same last tick. A float, which croniter makes of
        # the moment, does not hold microseconds for ever.
        inside = 30 if before.second or before.microsecond else 0
        start = before.replace(second=inside, microsecond=0, tzinfo=None)
        tick = _nearest_tick(self.canonical, start, is_forward=False)
        if tick is None:
            raise CronError(
                f"cron has no tick before {before.isoformat()}: {self.text!r}",
                mend="the calendar begins with the year 1; check the clock",
            )
        return tick

    def describe(self) -> str:
        """Return the schedule in English words, with a 24 h clock."""
        from cron_descriptor import (  # type: ignore[import-untyped]
            ExpressionDescriptor,
            Options,
        )

        times = read_times(self.canonical)
        options = Options(use_24hour_time_format=True, locale_code="en_US")
        words = str(ExpressionDescriptor(" ".join(_plain_fields(times)), options).get_full_description())
        # cron-descriptor knows one rule for two day fields: either
        return words if times.either_day else words.replace(", or on ", ", only on ")


def _check_moment(moment: object) -> None:
    if not isinstance(moment, datetime):
        found = f"a {type(moment).__name__}"
    elif moment.tzinfo is UTC or (moment.utcoffset() == timedelta(0) and moment.tzname() == "UTC"):
        return
    else:
        found = f"{moment.isoformat()} ({moment.tzname() or 'no time zone'})"
    raise CronError(
        f"cron counts in UTC, and {found} is no moment in UTC",
        mend="use an aware datetime: datetime.now(UTC), or moment.astimezone(UTC)",
    )


@lru_cache(maxsize=16_384)
def _nearest_tick(canonical: str, start: datetime, *, is_forward: bool) -> datetime | None:
    """Return the tick next to ``start`` (naive, UTC), or None where the calendar or a century ends before one."""
    ticks = [_seek(template, start, is_forward=is_forward) for template in _evaluators(canonical)]
    found = [tick for tick in ticks if tick is not None]
    if not found:
        return None
    return (min(found) if is_forward else max(found)).replace(tzinfo=UTC)


def _seek(template: Any, start: datetime, *, is_forward: bool) -> datetime | None:
    evaluator = copy(template)  # it keeps the moment in itself, and threads share the template
    seek = evaluator.get_next if is_forward else evaluator.get_prev
    try:
        tick: datetime = seek(datetime, start_time=start)
    except Exception:  # CroniterBadDateError, ValueError, OverflowError: each means that it found none
        return None
    return tick


@lru_cache(maxsize=16_384)
def _evaluators(canonical: str) -> tuple[Any, ...]:
    """Return a croniter for the meaning, or one for each day field when either is enough.

    croniter's own "either" gives up when one of the two leaves the calendar.
    """
    from croniter import croniter

    times = read_times(canonical)
    minute, hour, day, month, weekday = list_values(times)
    forms = [f"{minute} {hour} {day} {month} {weekday}"]
    if times.either_day:
        forms = [f"{minute} {hour} {day} {month} *", f"{minute} {hour} * {month} {weekday}"]
    return tuple(croniter(form, 0, day_or=False, max_years_between_matches=100) for form in forms)


def _plain_fields(times: Times) -> list[str]:
    """Return the fields as a person would write them, but nothing that makes cron-descriptor's words untrue."""
    sets = (times.minutes, times.hours, times.days, times.months, times.weekdays)
    plain = [_in_short(values, field) for values, field in zip(sets, FIELDS, strict=True)]
    if times.has_two_day_fields:  # of a range of weekdays it does not say whether it adds or restricts
        plain[4] = list_values(times)[4]
    return plain


def _in_short(values: frozenset[int], field: Field) -> str:
    low, high = min(values), max(values)
    step, rest = divmod(field.span, len(values))
    if values == field.every:
        return "*"
    # only a step that divides the field: "every 7 minutes" is not so when the hour turns
    if step < field.span and not rest and values == frozenset(range(field.low, field.low + field.span, step)):
        return f"*/{step}"
    if len(values) == high - low + 1 > 2:
        return f"{low}-{high}"
    return ",".join(str(value) for value in sorted(values))
