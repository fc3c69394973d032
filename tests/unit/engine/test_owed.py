"""What a cron owes: the latest tick at most, found in one step."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defer_cli.domain.cron import Cron
from defer_cli.domain.execution import to_microseconds
from defer_cli.domain.ticks import CHANGED, FIRST_SEEN, NO_RUNNER, Owed, Span, last_tick_us, next_tick_us
from defer_cli.engine.owed import owed_at_start, owed_when_due
from tests.unit.engine.cron_bench import at

MONDAYS = Cron.parse("0 8 * * MON")
MINUTES = Cron.parse("* * * * *")
NOON = to_microseconds(at("2026-11-23 12:00"))
MINUTE = 60_000_000
YEAR = 365 * 24 * 60 * MINUTE


def us(text: str) -> int:
    return to_microseconds(at(text))


def at_start(cron: Cron, mark_us: int | None, *, other: int | None = None, why_not: str | None = None) -> Owed:
    return owed_at_start(cron, mark_us=mark_us, other_mark_us=other, now_us=NOON, why_not=why_not)


def test_a_cron_seen_for_the_first_time_owes_nothing() -> None:
    assert at_start(MINUTES, None) == Owed(NOON, None, Span(NOON, NOON, FIRST_SEEN))


def test_a_cron_with_another_schedule_owes_nothing() -> None:
    assert at_start(MINUTES, None, other=NOON - YEAR) == Owed(NOON, None, Span(NOON - YEAR, NOON, CHANGED))


def test_the_gap_of_a_change_never_runs_backwards() -> None:
    assert at_start(MINUTES, None, other=NOON + YEAR).missed == Span(NOON, NOON, CHANGED)


def test_a_mark_ahead_of_now_is_set_to_now() -> None:
    assert at_start(MINUTES, NOON + YEAR) == Owed(NOON)


def test_without_a_missed_tick_nothing_moves() -> None:
    assert at_start(MONDAYS, us("2026-11-23 08:00")) == Owed(us("2026-11-23 08:00"))


def test_a_tick_at_this_very_moment_is_owed() -> None:
    assert at_start(MINUTES, NOON - MINUTE).tick_us == NOON


def test_of_many_missed_ticks_the_latest_is_owed() -> None:
    owed = at_start(MONDAYS, us("2026-10-05 08:00"))

    assert owed.tick_us == owed.mark_us == us("2026-11-23 08:00")


def test_what_was_missed_reaches_from_the_old_mark_to_the_new() -> None:
    missed = at_start(MONDAYS, us("2026-10-05 08:00")).missed

    assert missed == Span(us("2026-10-05 08:00"), us("2026-11-23 08:00"), f"{NO_RUNNER}; the latest tick was run")


def test_a_cron_that_does_not_catch_up_has_its_mark_set_to_now() -> None:
    assert at_start(MINUTES, NOON - YEAR, why_not="no") == Owed(NOON, None, Span(NOON - YEAR, NOON, f"{NO_RUNNER}; no"))


@pytest.mark.parametrize("late_us", [0, 1, MINUTE - 1])
def test_a_tick_within_its_minute_was_not_missed(late_us: int) -> None:
    owed = owed_when_due(MINUTES, mark_us=NOON - MINUTE, due_us=NOON, now_us=NOON + late_us, why_not="no")

    assert owed == Owed(NOON, NOON)


def test_after_a_stall_only_the_latest_tick_is_owed() -> None:
    owed = owed_when_due(MINUTES, mark_us=NOON - MINUTE, due_us=NOON, now_us=NOON + 5 * MINUTE + 1, why_not=None)

    assert (owed.tick_us, owed.mark_us) == (NOON + 5 * MINUTE, NOON + 5 * MINUTE)
    assert owed.missed is not None


def test_after_a_stall_the_tick_of_this_minute_is_run_even_without_catching_up() -> None:
    owed = owed_when_due(MINUTES, mark_us=NOON - MINUTE, due_us=NOON, now_us=NOON + 5 * MINUTE, why_not="no")

    assert owed.tick_us == NOON + 5 * MINUTE


def test_without_catching_up_an_old_tick_is_not_run() -> None:
    due = us("2026-11-23 08:00")
    owed = owed_when_due(MONDAYS, mark_us=due - 7 * 24 * 60 * MINUTE, due_us=due, now_us=NOON, why_not="no")

    assert (owed.tick_us, owed.mark_us) == (None, NOON)


def test_a_minutely_cron_a_year_behind_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    previous = Cron.previous

    def counted(self: Cron, before: datetime) -> datetime:
        asked.append(before)
        return previous(self, before)

    monkeypatch.setattr(Cron, "previous", counted)
    monkeypatch.setattr(Cron, "next", None)

    assert at_start(MINUTES, NOON - YEAR).tick_us == NOON
    assert len(asked) == 1


@given(st.sampled_from(["* * * * *", "*/7 3,4 * * *", "0 0 22 * 5"]), st.integers(0, 3_000), st.integers(0, 59))
def test_what_is_owed_is_the_last_of_all_ticks_between_mark_and_now(schedule: str, minutes: int, seconds: int) -> None:
    cron, mark_us = Cron.parse(schedule), NOON - minutes * MINUTE - seconds * 1_000_000
    walked = None
    tick_us = next_tick_us(cron, mark_us)
    while tick_us is not None and tick_us <= NOON:
        walked = tick_us
        tick_us = next_tick_us(cron, tick_us)

    assert at_start(cron, mark_us).tick_us == walked


@pytest.mark.parametrize("schedule", ["0 0 1 1 *", "* * * * *"])
def test_where_the_calendar_ends_there_is_no_next_tick(schedule: str) -> None:
    assert next_tick_us(Cron.parse(schedule), us("9999-12-31 23:59:59")) is None


def test_beyond_the_calendar_there_is_no_last_tick() -> None:
    assert last_tick_us(MINUTES, us("9999-12-31 23:59:59") + 2_000_000) is None
