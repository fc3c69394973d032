"""What cron expressions mean and when they fire."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from defer_cli.domain.cron import Cron
from defer_cli.domain.errors import CronError


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def canonical(text: str) -> str:
    return Cron.parse(text).canonical


def ticks(text: str, after: str, count: int) -> list[str]:
    cron, moment, found = Cron.parse(text), at(after), []
    for _ in range(count):
        moment = cron.next(moment)
        found.append(f"{moment:%Y-%m-%d %H:%M}")
    return found


# What is right


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("* * * * *", "* * * * *"),
        ("0 8 * * MON", "0 8 * * 1"),
        ("0 8 * * mOn", "0 8 * * 1"),
        ("00 08 * * 01", "0 8 * * 1"),
        ("  0\t8  * * 1\t", "0 8 * * 1"),
        ("*/20 * * * *", "0,20,40 * * * *"),
        ("5-59/15 * * * *", "5,20,35,50 * * * *"),
        ("5-5 5-5/3 * * *", "5 5 * * *"),
        ("0-59 */1 * * *", "* * * * *"),
        ("*/60 */24 * * *", "0 0 * * *"),
        ("9,1-3,2 * * * *", "1,2,3,9 * * * *"),
        ("*,5 0 * * *", "* 0 * * *"),
        ("0 0 * jan-MAR,dec *", "0 0 * 1,2,3,12 *"),
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * 7-7", "0 0 * * 0"),
        ("0 0 * * 5-7", "0 0 * * 0,5,6"),
        ("0 0 * * fri-7", "0 0 * * 0,5,6"),
        ("0 0 * * 0-7", "0 0 * * *"),
        ("0 0 * * 1-7", "0 0 * * *"),
        ("0 0 1-31 * *", "0 0 * * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        (" @hourly ", "0 * * * *"),
    ],
)
def test_an_expression_has_one_canonical_form(text: str, form: str) -> None:
    assert canonical(text) == form


def test_the_text_is_kept_as_it_was_given_but_trimmed() -> None:
    assert Cron.parse(" 0 8  * * MON\t").text == "0 8  * * MON"


def test_256_characters_are_allowed() -> None:
    text = "0," * 123 + "12 * * * *"

    assert len(text) == 256
    assert canonical(text) == "0,12 * * * *"


def test_a_cron_is_frozen_and_can_be_pickled() -> None:
    cron = Cron.parse("0 8 * * 1")
    with pytest.raises(FrozenInstanceError):
        cron.text = "x"  # type: ignore[misc]

    assert pickle.loads(pickle.dumps(cron)) == cron


# The day rule of man 5 crontab


def test_two_restricted_day_fields_mean_either() -> None:
    assert ticks("0 0 13 * 5", "2026-02-10", 4) == [
        "2026-02-13 00:00",  # a Friday and the 13th
        "2026-02-20 00:00",
        "2026-02-27 00:00",
        "2026-03-06 00:00",
    ]
    assert "2026-04-13 00:00" in ticks("0 0 13 * 5", "2026-04-10", 2)  # a Monday


def test_a_day_field_that_begins_with_a_star_means_both() -> None:
    assert ticks("0 0 */2 * 1", "2026-06-01", 2) == ["2026-06-15 00:00", "2026-06-29 00:00"]


def test_a_weekday_field_that_begins_with_a_star_means_both() -> None:
    assert ticks("0 0 13 * */7", "2026-01-01", 2) == ["2026-09-13 00:00", "2026-12-13 00:00"]


def test_a_star_inside_a_list_does_not_mean_both() -> None:
    assert canonical("0 0 1,* * 1") == "0 0 * * *"


def test_a_star_at_the_head_of_a_list_means_both() -> None:
    assert canonical("0 0 *,1 * 1") == "0 0 * * 1"


def test_both_and_either_never_share_a_canonical_form() -> None:
    assert canonical("0 0 */10 * 1") == "0 0 */31,11,21,31 * 1"
    assert canonical("0 0 1-31/10 * 1") == "0 0 1,11,21,31 * 1"


def test_the_mark_of_both_stays_when_only_the_weekday_carries_it() -> None:
    assert canonical("0 0 2,3 * */3") == "0 0 2,3 * */7,3,6"


def test_days_that_no_chosen_month_has_are_no_difference() -> None:
    assert canonical("0 0 31 2 1") == "0 0 * 2 1"
    assert canonical("0 0 28-31 2 *") == "0 0 28,29 2 *"
    assert canonical("0 0 31 1,2,4 *") == "0 0 31 1 *"
    assert canonical("0 0 1-30 4,6 *") == "0 0 * 4,6 *"


def test_a_day_that_never_comes_leaves_its_weekdays() -> None:
    assert ticks("0 0 31 2 1", "2026-01-01", 2) == ["2026-02-02 00:00", "2026-02-09 00:00"]


# Ticks


@pytest.mark.parametrize("text", ["7-7 * * * *", "7-7/3 * * * *"])
def test_a_range_of_one_is_one_value(text: str) -> None:
    assert ticks(text, "2026-01-01", 2) == ["2026-01-01 00:07", "2026-01-01 01:07"]


def test_monday_is_monday() -> None:
    assert ticks("0 8 * * 1", "2026-11-01", 1) == ["2026-11-02 08:00"]


@pytest.mark.parametrize(
    ("after", "tick"),
    [
        ("2023-06-01", "2024-02-29"),
        ("2096-02-29", "2104-02-29"),  # 2100 is no leap year
        ("1996-02-29", "2000-02-29"),  # 2000 is one
    ],
)
def test_the_29th_of_february_comes_in_leap_years(after: str, tick: str) -> None:
    assert Cron.parse("0 0 29 2 *").next(at(after)) == at(tick)


def test_a_weekday_on_the_29th_of_february_is_found_over_forty_years() -> None:
    cron = Cron.parse("0 0 29 2 */7")

    assert cron.next(at("2088-02-29")) == at("2128-02-29")
    assert cron.previous(at("2128-02-29")) == at("2088-02-29")


@pytest.mark.parametrize("after", ["2026-01-01T00:00:00", "2026-01-01T00:00:00.000001", "2026-01-01T00:00:59.999999"])
def test_next_is_strictly_later(after: str) -> None:
    assert Cron.parse("* * * * *").next(at(after)) == at("2026-01-01T00:01")


def test_next_takes_a_moment_just_before_a_tick() -> None:
    assert Cron.parse("0 0 * * *").next(at("2025-12-31T23:59:59.999999")) == at("2026-01-01")


@pytest.mark.parametrize("before", ["2026-01-01T00:01:00", "2026-01-01T00:00:00.000001", "2026-01-01T00:00:59.999999"])
def test_previous_is_strictly_earlier(before: str) -> None:
    assert Cron.parse("* * * * *").previous(at(before)) == at("2026-01-01")


def test_the_owed_tick_of_now_is_found_a_microsecond_later() -> None:
    now = at("2026-11-02T08:00")

    assert Cron.parse("0 8 * * 1").previous(now + timedelta(microseconds=1)) == now
    assert Cron.parse("0 8 * * 1").previous(now) == now - timedelta(days=7)


@pytest.mark.parametrize("year", [2300, 5000, 9998])
def test_microseconds_count_in_any_century(year: int) -> None:
    tick, microsecond = datetime(year, 6, 1, tzinfo=UTC), timedelta(microseconds=1)
    cron = Cron.parse("* * * * *")

    assert cron.next(tick - microsecond) == tick
    assert cron.previous(tick + microsecond) == tick


def test_ticks_are_in_utc_itself() -> None:
    tick = Cron.parse("0 8 * * *").next(datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC")))

    assert tick == at("2026-01-01T08:00")
    assert tick.tzinfo is UTC


# The ends of the calendar


def test_no_tick_is_left_at_the_end_of_the_calendar() -> None:
    with pytest.raises(
        CronError, match=r"cron has no tick after 9999-12-31T23:59:00\+00:00: '\* \* \* \* \*'"
    ) as caught:
        Cron.parse("* * * * *").next(at("9999-12-31T23:59"))

    assert caught.value.mend == "the calendar ends with the year 9999; check the clock"


def test_no_tick_is_left_at_the_start_of_the_calendar() -> None:
    with pytest.raises(CronError, match="cron has no tick before 0001-01-01"):
        Cron.parse("* * * * *").previous(at("0001-01-01"))


def test_the_last_tick_of_the_calendar_is_found() -> None:
    last = at("9999-12-31T23:59")

    assert Cron.parse("* * * * *").next(last - timedelta(seconds=1)) == last
    assert Cron.parse("* * * * *").previous(last + timedelta(seconds=59)) == last


def test_either_day_field_is_enough_when_the_other_leaves_the_calendar() -> None:
    assert Cron.parse("0 0 29 2 1").next(at("9999-01-01")) == at("9999-02-01")
    assert Cron.parse("0 0 29 2 1").previous(at("0003-01-01")) == at("0002-02-25")


@pytest.mark.parametrize("text", ["0 0 29 2 *", "0 0 29 2 */2", "0 0 31 12 1"])
def test_only_cron_errors_come_from_the_ends(text: str) -> None:
    cron = Cron.parse(text)
    with pytest.raises(CronError):
        cron.next(at("9999-12-31T12:00"))
    with pytest.raises(CronError):
        cron.previous(at("0001-01-01T00:00:01"))


# Moments that are refused


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 1, 1),  # noqa: DTZ001
        datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/London")),  # as UTC in winter only
        date(2026, 1, 1),
        1_767_225_600.0,
        None,
    ],
)
def test_a_moment_that_is_not_in_utc_is_refused(moment: object) -> None:
    cron = Cron.parse("* * * * *")
    for ask in (cron.next, cron.previous):
        with pytest.raises(CronError, match="no moment in UTC") as caught:
            ask(moment)  # type: ignore[arg-type]
        assert "datetime.now(UTC)" in str(caught.value.mend)


# Words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 8 * * MON", "At 08:00, only on Monday"),
        ("30 20 * * *", "At 20:30"),
        ("*/5 * * * *", "Every 5 minutes"),
        ("*/40 * * * *", "At 0 and 40 minutes past the hour"),
        ("7-7 * * * *", "At 7 minutes past the hour"),
        ("0 9 * * 1-5", "At 09:00, Monday through Friday"),
        ("0 0 29 2 *", "At 00:00, on day 29 of the month, only in February"),
        ("0 0 13 * 5", "At 00:00, on day 13 of the month, or on Friday"),
        ("0 0 */15 * 1-3", "At 00:00, on day 1, 16, and 31 of the month, only on Monday, Tuesday, and Wednesday"),
        ("0 0 1,* * 1", "At 00:00"),
        ("0 0 31 2 1", "At 00:00, only on Monday, only in February"),
        ("@hourly", "Every hour"),
    ],
)
def test_a_schedule_in_words_says_what_it_does(text: str, words: str) -> None:
    assert Cron.parse(text).describe() == words


# Imports


def test_reading_and_refusing_load_neither_croniter_nor_cron_descriptor() -> None:
    script = """
import sys
from defer_cli.domain.cron import Cron
Cron.parse("0 8 * * MON")
for wrong in ("0 0 31 2 *", "0 25 * * *"):
    try:
        Cron.parse(wrong)
    except Exception:
        pass
print([name for name in ("croniter", "cron_descriptor", "dateutil", "asyncio", "difflib") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout == "[]\n"
