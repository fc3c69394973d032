"""Times on the command line: a span counts from now, a time without a zone is UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from defer_cli.cli.failures import UsageError
from defer_cli.cli.moments import span_of, when_of

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", timedelta(hours=2)),
        ("in 30 min", timedelta(minutes=30)),
        ("In 1h30m", timedelta(hours=1, minutes=30)),
        ("90", timedelta(seconds=90)),
        ("now", timedelta(0)),
        ("2026-12-24", datetime(2026, 12, 24, tzinfo=UTC)),
        ("2026-12-24T08:00", datetime(2026, 12, 24, 8, tzinfo=UTC)),
        ("2026-12-24 08:00Z", datetime(2026, 12, 24, 8, tzinfo=UTC)),
        ("2026-12-24T08:00+02:00", datetime(2026, 12, 24, 6, tzinfo=UTC)),
    ],
)
def test_a_time_is_a_span_from_now_or_a_moment(text: str, expected: timedelta | datetime) -> None:
    assert when_of(text, "WHEN", now=NOW) == expected


@pytest.mark.parametrize("text", ["soon", "", "2h ago", "-5", "-2h", "25:00", "2026-13-01", "0001-01-01T00:00+23:00"])
def test_what_is_no_time_to_come_is_refused_with_the_way_to_write_one(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        when_of(text, "--delay", now=NOW)

    assert raised.value.where == "--delay"
    assert 'a span from now ("2h", "30 min")' in str(raised.value.mend)


def test_a_bare_number_is_seconds() -> None:
    assert span_of("1.5", "--timeout") == timedelta(seconds=1.5)
