"""Moments as they are stored and as they are shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from defer_cli.domain.execution import to_microseconds, to_moment


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_survives_being_stored(moment: datetime) -> None:
    assert to_moment(to_microseconds(moment)) == moment


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_stored_moments_sort_like_moments(one: datetime, other: datetime) -> None:
    assert (to_microseconds(one) < to_microseconds(other)) is (one < other)


def test_a_moment_of_another_zone_is_stored_in_utc() -> None:
    moment = datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))

    assert to_microseconds(moment) == 0


def test_a_stored_moment_is_shown_in_utc() -> None:
    assert to_moment(1_000_001) == datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC)
