"""Which tick a cron owes after a time in which nobody looked: at most one, found without counting the others."""

from __future__ import annotations

from defer_cli.domain.cron import Cron
from defer_cli.domain.ticks import CHANGED, FIRST_SEEN, NO_RUNNER, ON_TIME_US, STOOD_STILL, Owed, Span, last_tick_us


def owed_at_start(
    cron: Cron, *, mark_us: int | None, other_mark_us: int | None, now_us: int, why_not: str | None
) -> Owed:
    """Return what a cron owes that nobody in this process has looked at yet.

    ``other_mark_us`` is the newest mark that its function has under another canonical form. ``why_not`` says
    why missed ticks are not caught up; None: the latest one is.
    """
    if mark_us is None:
        if other_mark_us is None:
            return Owed(now_us, missed=Span(now_us, now_us, FIRST_SEEN))
        return Owed(now_us, missed=Span(min(other_mark_us, now_us), now_us, CHANGED))
    if mark_us > now_us:  # the clock was ahead and was put right; what ran early has its row
        return Owed(now_us)
    latest_us = last_tick_us(cron, now_us)
    if latest_us is None or latest_us <= mark_us:
        return Owed(mark_us)
    return _missed(mark_us, latest_us, now_us, NO_RUNNER, why_not)


def owed_when_due(cron: Cron, *, mark_us: int, due_us: int, now_us: int, why_not: str | None) -> Owed:
    """Return what a cron owes whose tick ``due_us``, the first after its mark, has come."""
    if now_us - due_us < ON_TIME_US:
        return Owed(due_us, due_us)
    latest_us = last_tick_us(cron, now_us) or due_us
    is_on_time = now_us - latest_us < ON_TIME_US
    return _missed(mark_us, latest_us, now_us, STOOD_STILL, None if is_on_time else why_not)


def _missed(mark_us: int, latest_us: int, now_us: int, cause: str, why_not: str | None) -> Owed:
    if why_not is not None:
        return Owed(now_us, missed=Span(mark_us, now_us, f"{cause}; {why_not}"))
    return Owed(latest_us, latest_us, Span(mark_us, latest_us, f"{cause}; the latest tick was run"))
