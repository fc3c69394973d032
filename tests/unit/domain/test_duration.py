"""Spans of time in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defer_cli.domain.duration import LONGEST, in_words, parse_duration, parse_when
from defer_cli.domain.errors import SettingError

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "span"),
    [
        ("30s", timedelta(seconds=30)),
        ("5 min", timedelta(minutes=5)),
        ("1h30m", timedelta(minutes=90)),
        ("1h 30m", timedelta(minutes=90)),
        ("1 hour, 30 minutes", timedelta(minutes=90)),
        ("1.5 hours", timedelta(minutes=90)),
        (" 2 Weeks ", timedelta(weeks=2)),
        ("250ms", timedelta(milliseconds=250)),
        ("7 \u00b5s", timedelta(microseconds=7)),
        ("7 \u03bcs", timedelta(microseconds=7)),
        ("1000ns", timedelta(microseconds=1)),
        ("0s", timedelta(0)),
        (0, timedelta(0)),
        (90, timedelta(seconds=90)),
        (0.5, timedelta(milliseconds=500)),
        (timedelta(days=1), timedelta(days=1)),
        (LONGEST, LONGEST),
    ],
)
def test_a_duration_is_understood(value: object, span: timedelta) -> None:
    assert parse_duration(value, where="delay") == span


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "5",
        "soon",
        "5 fortnights",
        "-5s",
        "5s!",
        "s",
        "1,5h",
        "٣s",
        "101 years",
        "9999999 weeks",
        "9" * 400 + "s",
        -1,
        -0.001,
        True,
        None,
        [5],
        float("nan"),
        float("inf"),
        1e300,
        10**400,
        timedelta(seconds=-1),
        LONGEST + timedelta(seconds=1),
        timedelta.max,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_duration_is_refused_where_it_stands(value: object) -> None:
    with pytest.raises(SettingError) as refused:
        parse_duration(value, where="delay")

    assert refused.value.where == "delay"
    assert refused.value.mend


def test_a_duration_counts_from_now() -> None:
    assert parse_when("1h", where="delay", now=NOON) == NOON + timedelta(hours=1)


def test_an_aware_moment_is_taken_as_it_is() -> None:
    moment = datetime(2026, 11, 24, 1, tzinfo=timezone(timedelta(hours=2)))

    assert parse_when(moment, where="delay", now=NOON) == datetime(2026, 11, 23, 23, tzinfo=UTC)


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(SettingError, match="no time zone"):
        parse_when(datetime(2026, 11, 24), where="delay", now=NOON)  # noqa: DTZ001  # the naive one is the case


def test_a_moment_beyond_the_calendar_is_refused() -> None:
    last = datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))

    with pytest.raises(SettingError, match="beyond the calendar"):
        parse_when(last, where="delay", now=NOON)


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(0), "0 ms"),
        (timedelta(microseconds=7), "7 µs"),
        (timedelta(milliseconds=38), "38 ms"),
        (timedelta(microseconds=999_700), "1 s"),
        (timedelta(seconds=1.25), "1.25 s"),
        (timedelta(seconds=10), "10 s"),
        (timedelta(seconds=59.999), "1m"),
        (timedelta(seconds=90), "1m 30s"),
        (timedelta(seconds=3599.7), "1h"),
        (timedelta(minutes=30), "30m"),
        (timedelta(hours=1, minutes=5), "1h 5m"),
        (timedelta(days=2, hours=4, minutes=9), "2d 4h"),
    ],
)
def test_a_span_is_told_in_at_most_two_units(span: timedelta, words: str) -> None:
    assert in_words(span) == words


@pytest.mark.parametrize("value", ["1 month", "2 months", "1y", "1 year", "1 hour 3 yrs"])
def test_a_unit_that_differs_in_length_is_refused_with_the_way_out(value: str) -> None:
    with pytest.raises(SettingError, match="months and years differ in length") as refused:
        parse_duration(value, where="delay")

    assert refused.value.mend == 'write days, e.g. "30 days" or "365 days"'


@given(st.integers(0, 10_000_000))
def test_whole_seconds_below_a_day_survive_being_told(count: int) -> None:
    span = timedelta(seconds=count % 3600)

    assert parse_duration(in_words(span), where="test") == span
