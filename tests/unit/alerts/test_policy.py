"""When messages leave, how much they hold, when they are tried again and given up."""

from __future__ import annotations

from datetime import timedelta
from itertools import accumulate

import pytest

from defer_cli.alerts.policy import free_at_us, is_given_up, next_message, wait_before
from tests.unit.alerts.building import alert

SECOND = 1_000_000
MINUTE = 60 * SECOND


@pytest.mark.parametrize(("due", "size"), [(0, 0), (1, 1), (5, 1), (6, 6), (20, 20), (50, 20)])
def test_few_alerts_go_alone_and_many_together(due: int, size: int) -> None:
    alerts = [alert(number=number) for number in range(due)]

    assert next_message(alerts) == alerts[:size]


@pytest.mark.parametrize("size", [1, 3, 20])
def test_what_was_tried_goes_again_as_it_was(size: int) -> None:
    alerts = [alert(number=number, message="msg") for number in range(size)]

    assert next_message(alerts) == alerts


def test_messages_leave_a_second_apart_and_ten_in_a_window() -> None:
    assert free_at_us([], window_us=MINUTE) == 0
    assert free_at_us([5 * SECOND], window_us=MINUTE) == 6 * SECOND
    assert free_at_us([number * SECOND for number in range(9)], window_us=MINUTE) == 9 * SECOND
    assert free_at_us([number * SECOND for number in range(10)], window_us=MINUTE) == MINUTE
    assert free_at_us([number * SECOND for number in range(11)], window_us=MINUTE) == MINUTE + SECOND


def test_waits_double_up_to_a_quarter_of_an_hour() -> None:
    waits = [wait_before(attempt, retry_after=None, dice=lambda: 0.5).total_seconds() for attempt in range(1, 13)]

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    assert wait_before(10**6, retry_after=None, dice=lambda: 0.5) == timedelta(minutes=15)


def test_waits_are_spread() -> None:
    assert wait_before(1, retry_after=None, dice=lambda: 0.0) == timedelta(seconds=0.75)
    assert wait_before(1, retry_after=None, dice=lambda: 1.0) == timedelta(seconds=1.25)


@pytest.mark.parametrize(
    ("asked", "wait"), [(0, 1), (30, 30), (10**6, 86_400)], ids=["no time", "half a minute", "longer than a day"]
)
def test_what_the_other_side_asks_for_is_waited_a_day_at_most(asked: int, wait: int) -> None:
    assert wait_before(1, retry_after=timedelta(seconds=asked), dice=lambda: 0.5) == timedelta(seconds=wait)


def test_a_message_is_given_up_after_a_day() -> None:
    day = 86_400 * SECOND

    assert not is_given_up(begun_us=0, until_us=day)
    assert is_given_up(begun_us=0, until_us=day + 1)


def test_a_message_is_tried_about_a_hundred_times() -> None:
    waits = (
        wait_before(attempt, retry_after=None, dice=lambda: 0.5) // timedelta(microseconds=1)
        for attempt in range(1, 999)
    )
    tries = sum(not is_given_up(begun_us=0, until_us=until_us) for until_us in accumulate(waits))

    assert 90 < tries < 120
