"""How long news is taken into one message."""

from __future__ import annotations

from datetime import timedelta

import pytest

from defer_cli.domain.alert import AlertKind, Grouping

MINUTE = 60_000_000
SECOND = 1_000_000


@pytest.mark.parametrize(
    ("kind", "last_us", "previous_us", "due_us"),
    [
        pytest.param(AlertKind.FAILURE, 0, None, 5 * SECOND, id="one failure waits a moment for more"),
        pytest.param(AlertKind.FAILURE, 20 * SECOND, None, 25 * SECOND, id="more failures are waited for"),
        pytest.param(AlertKind.FAILURE, 59 * SECOND, None, MINUTE, id="a window at most"),
        pytest.param(AlertKind.FAILURE, 0, -10 * SECOND, 50 * SECOND, id="a window after the last message"),
        pytest.param(AlertKind.FAILURE, 0, -MINUTE, 5 * SECOND, id="that one was long ago"),
        pytest.param(AlertKind.SUCCESS, 0, None, 5 * SECOND, id="a success"),
        pytest.param(AlertKind.RECOVERY, 0, None, MINUTE, id="a recovery has a window to fail again"),
    ],
)
def test_news_goes_out_once_it_has_gone_quiet(
    kind: AlertKind, last_us: int, previous_us: int | None, due_us: int
) -> None:
    assert Grouping().due_us(kind, first_us=0, last_us=last_us, previous_us=previous_us) == due_us


def test_the_moment_of_quiet_goes_with_the_window() -> None:
    grouping = Grouping(window=timedelta(seconds=12))

    assert grouping.due_us(AlertKind.FAILURE, first_us=0, last_us=0, previous_us=None) == SECOND
