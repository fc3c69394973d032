"""Moves that are asked for, or that time brings, one execution or a few at a time."""

from __future__ import annotations

from defer_cli.domain.settle import Running
from defer_cli.domain.states import State
from defer_cli.store.contract import Ending
from defer_cli.store.sqlite import statements
from defer_cli.store.sqlite.claiming import discard_rows
from defer_cli.store.sqlite.rescuing import running_of
from defer_cli.store.sqlite.session import Session


def abort(session: Session, id: str) -> Running | None:
    """Move a started execution to aborting."""
    session.require_transaction()
    rows = session.execute(statements.ABORT, (session.now(), id)).fetchall()
    if not rows:
        return None
    running = running_of(rows[0])
    session.counters.move(running.function, "started", "aborting")
    session.blocks.moved([running.seq], "aborting")
    return running


def cancel(session: Session, id: str) -> Ending | None:
    """Move a created execution to cancelled."""
    session.require_transaction()
    now = session.now()
    rows = session.execute(statements.CANCEL, (now, now, id)).fetchall()
    if not rows:
        return None
    seq, _, function = rows[0]
    ending = Ending(seq, id, function, State.CANCELLED)
    session.counters.move(ending.function, "created", "cancelled")
    session.history.ended(ending.function, "cancelled", now)
    session.blocks.moved([seq], "cancelled")
    return ending


def reschedule(session: Session, id: str, scheduled_us: int) -> bool:
    """Give a created execution another time, now at the earliest."""
    session.require_transaction()
    now = session.now()
    scheduled = max(scheduled_us, now)
    rows = session.execute(statements.RESCHEDULE, (scheduled, scheduled > now, now, id)).fetchall()
    for function, seq in rows:
        session.heads.offer(function, scheduled, seq)
        session.blocks.scheduled(seq, scheduled, is_delayed=scheduled > now)
    return bool(rows)


def discard_due(session: Session, *, limit: int) -> list[Ending]:
    """Discard what was never started by its ``discard_after``."""
    session.require_transaction()
    now = session.now()
    return discard_rows(session, session.execute(statements.DISCARD_DUE, (now, limit)).fetchall(), now)


def next_discard_us(session: Session) -> int | None:
    """Return the earliest ``discard_after`` of what was never started."""
    earliest: int | None = session.execute(statements.NEXT_DISCARD_US).fetchone()[0]
    return earliest
