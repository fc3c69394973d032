"""Ticks of a cron around a moment, and those that pass while nobody runs them: missed, or skipped in a pause."""

from __future__ import annotations

from msgspec import Struct

from defer_cli.domain.cron import Cron
from defer_cli.domain.errors import CronError
from defer_cli.domain.execution import to_microseconds, to_moment

ON_TIME_US = 60_000_000
"""Ticks are whole minutes: one that is late by less is the newest there can be, and was not missed."""

FIRST_SEEN = "seen for the first time: nothing is owed"
CHANGED = "its schedule has changed: nothing is owed"
NO_RUNNER = "no runner was up"
STOOD_STILL = "the runner stood still, the machine slept or the clock went forward"
PAUSED = "paused"
BEFORE_PAUSE = "then it was paused"


class Span(Struct, frozen=True):
    """Ticks that were not run one by one: after ``after_us``, until ``until_us``, and why."""

    after_us: int
    until_us: int
    reason: str


class Owed(Struct, frozen=True):
    """Where the mark belongs, the tick to run, what was missed, and what a pause has skipped."""

    mark_us: int
    tick_us: int | None = None
    missed: Span | None = None
    skipped: Span | None = None


def owed_in_pause(cron: Cron, *, mark_us: int, since_us: int, now_us: int, cause: str) -> Owed:
    """Return what has become of the ticks after ``mark_us`` of a cron that is paused since ``since_us``: none is run.

    Those before the pause were missed, by ``cause``; but where a runner stood by, one that was due just then was
    skipped: the pause came before it.
    """
    latest_us = last_tick_us(cron, now_us)
    if latest_us is None or latest_us <= mark_us:
        return Owed(min(mark_us, now_us))
    if since_us > now_us:  # the clock was ahead then, and was put right
        since_us = mark_us
    missed_us = last_tick_us(cron, since_us)
    if missed_us is not None and cause == STOOD_STILL and since_us - missed_us < ON_TIME_US:
        missed_us = last_tick_us(cron, missed_us - 1)
        since_us = mark_us if missed_us is None else missed_us
    missed = None
    if missed_us is not None and missed_us > mark_us:
        missed = Span(mark_us, missed_us, f"{cause}; {BEFORE_PAUSE}")
    after_us = max(mark_us, since_us)
    return Owed(latest_us, missed=missed, skipped=Span(after_us, latest_us, PAUSED) if latest_us > after_us else None)


def last_tick_us(cron: Cron, now_us: int) -> int | None:
    """Return the newest tick that is not ahead of now; None when the calendar has none."""
    try:
        return to_microseconds(cron.previous(to_moment(now_us + 1)))  # strict: so one at this very moment counts
    except (CronError, OverflowError):
        return None


def next_tick_us(cron: Cron, after_us: int) -> int | None:
    """Return the first tick after a moment; None when the calendar ends before it."""
    try:
        return to_microseconds(cron.next(to_moment(after_us)))
    except (CronError, OverflowError):
        return None
