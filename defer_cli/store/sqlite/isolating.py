"""The queue of what is to be run isolated, over all functions: short, and usually empty."""

from __future__ import annotations

from collections.abc import Mapping

from defer_cli.store.contract import Limit
from defer_cli.store.sqlite import statements
from defer_cli.store.sqlite.session import Session
from defer_cli.store.sqlite.statements import as_list


def pick(session: Session, functions: Mapping[str, Limit], now: int, places: int) -> list[int]:
    """Return up to ``places`` that are due, in the order of the queue, within the limits of their functions."""
    if not session.execute(statements.HAS_ISOLATED).fetchone()[0]:
        session.may_hold_isolated = False
        return []
    left = {
        name: limit.concurrency - session.counters.running(name)
        for name, limit in functions.items()
        if limit.concurrency is not None
    }
    picked: list[int] = []
    while len(picked) < places:
        open_ones = as_list([name for name in functions if left.get(name, 1) > 0])
        rows = session.execute(statements.CLAIM_ISOLATED, (now, open_ones, places)).fetchall()
        new = [(seq, function) for _, seq, function in rows if seq not in picked]
        for seq, function in new[: places - len(picked)]:
            if left.get(function, 1) > 0:
                picked.append(seq)
                left[function] = left.get(function, places + 1) - 1
        if not new:
            break
    return picked


def first_of(session: Session, function: str) -> tuple[int, int] | None:
    """Return (scheduled, seq) of the first of a function: what runs one at a time runs in the order of its calls."""
    if not session.may_hold_isolated:
        return None
    first: tuple[int, int] | None = session.execute(statements.CLAIM_ISOLATED_FIRST, (function,)).fetchone()
    return first


def earlier(session: Session, now: int, due_us: int | None) -> int | None:
    """Return ``due_us``, or when the next one of this queue is due whose time has not come, if that is earlier."""
    next_us: int | None = session.execute(statements.CLAIM_ISOLATED_NEXT, (now,)).fetchone()[0]
    return min((moment for moment in (due_us, next_us) if moment is not None), default=None)
