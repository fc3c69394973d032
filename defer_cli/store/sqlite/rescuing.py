"""Putting right what a dead runner left, and what a clock that was ahead has postponed."""

from __future__ import annotations

from defer_cli.domain.settle import Running
from defer_cli.domain.states import State
from defer_cli.store.sqlite import statements
from defer_cli.store.sqlite.session import Session, as_list


def take_back(session: Session, *, limit: int) -> list[Running]:
    """Make what a dead runner left started created again, aborting aborted."""
    session.require_transaction()
    counters, now = session.counters, session.now()
    left = min(limit, counters.total(State.STARTED, State.ABORTING))
    if left == 0:
        return []
    rows = session.execute(statements.TAKE_BACK_LEFT, (left,)).fetchall()
    ended: list[Running] = []
    for seq, id, function, state, attempt, charged, scheduled, is_suspect, losses, parent, started in rows:
        is_aborting = state == "aborting"
        if is_aborting:
            session.execute(statements.APPLY_ABORTED, (now, now, seq, attempt))
            counters.move(function, "aborting", "aborted")
        else:
            losses += 1
            session.execute(statements.TAKE_BACK, (now, seq, attempt))
            session.execute(statements.APPLY_ATTEMPT, (seq, attempt, started, now, "loss", None))
            counters.move(function, "started", "created")
            session.heads.offer(function, scheduled, seq)
        session.heads.release(function)
        ended.append(
            Running(
                seq,
                id,
                function,
                attempt,
                charged,
                scheduled,
                is_suspect=is_suspect == 1,
                losses=losses,
                is_aborting=is_aborting,
                parent=parent,
                started_us=started,
            )
        )
    return ended


def step_back(session: Session, *, limit: int) -> int:
    """Set unmarked created rows that lie ahead of now to now, in their old order."""
    session.require_transaction()
    now = session.now()
    functions = as_list(list(session.counters.functions_with(State.CREATED)))
    rows = session.execute(statements.STEP_BACK_AHEAD, (functions, now, limit)).fetchall()
    scheduled = now
    moves = []
    later = None
    for seq, function in reversed(rows):
        if later is not None and seq > later:  # at one moment the order would be that of seq, which was not theirs
            scheduled -= 1
        later = seq
        moves.append((scheduled, now, seq))
        session.heads.offer(function, scheduled, seq)
    session.executemany(statements.STEP_BACK, moves)
    return len(rows)
