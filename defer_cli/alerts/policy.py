"""When messages leave, how much they hold, when they are tried again, when they are given up."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import timedelta

from defer_cli.domain.alert import Alert
from defer_cli.domain.retry import RetryPolicy

MOST_TOGETHER = 20
"""Alerts that share a message."""
_MOST_ALONE = 5
_MOST_A_WINDOW = 10
_LEAST_APART_US = 1_000_000
"""Slack takes one message a second."""
_AGAIN = RetryPolicy(
    max_attempts=sys.maxsize,  # what ends them is the time
    initial_interval=1,
    multiplier=2,
    randomization_factor=0.25,
    max_interval=15 * 60,
)
GIVE_UP_AFTER = timedelta(days=1)
KEPT_FOR = timedelta(days=30)
"""How long what was sent, and what was not, can be looked up."""


def next_message(due: Sequence[Alert]) -> list[Alert]:
    """Return those of ``due`` that go next: each alone while they are few, else many in one message.

    What was tried before goes again as it was.
    """
    if not due or due[0].message is not None:
        return list(due)
    return list(due[:MOST_TOGETHER] if len(due) > _MOST_ALONE else due[:1])


def free_at_us(left_us: Sequence[int], *, window_us: int) -> int:
    """Return when the next message may leave, after those that left at ``left_us``, the oldest first."""
    if not left_us:
        return 0
    apart_us = left_us[-1] + min(_LEAST_APART_US, window_us)
    return apart_us if len(left_us) < _MOST_A_WINDOW else max(apart_us, left_us[-_MOST_A_WINDOW] + window_us)


def wait_before(attempt: int, *, retry_after: timedelta | None, dice: Callable[[], float]) -> timedelta:
    """Return how long to wait after ``attempt`` (from 1) has failed: never less than ``retry_after``.

    It doubles from a second up to 15 minutes, spread by a quarter so that many runners do not come at once.
    """
    wait = _AGAIN.delay_before(attempt, dice=dice)
    assert wait is not None
    return wait if retry_after is None else max(wait, min(retry_after, GIVE_UP_AFTER))


def is_given_up(*, begun_us: int, until_us: int) -> bool:
    """Return whether a message that was tried first at ``begun_us`` is not to be tried again at ``until_us``."""
    return until_us - begun_us > GIVE_UP_AFTER // timedelta(microseconds=1)
