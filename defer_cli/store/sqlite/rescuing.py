"""Putting right what a dead runner left, and what a clock that was ahead has postponed."""

from __future__ import annotations

from typing import Any

from defer_cli.domain.settle import LOSSES_TO_CHARGE, LOSSES_TO_ISOLATE, Isolation, Running
from defer_cli.domain.states import State
from defer_cli.store.sqlite import statements
from defer_cli.store.sqlite.blocks import STATE_BITS
from defer_cli.store.sqlite.session import Session
from defer_cli.store.sqlite.statements import as_list

_LEFT = STATE_BITS[State.STARTED] | STATE_BITS[State.ABORTING]


def take_back(session: Session, *, limit: int) -> list[Running]:
    """Make what a dead runner left started created again, aborting aborted; all but what ``guilty`` returns."""
    session.require_transaction()
    counters, now = session.counters, session.now()
    left = min(limit, counters.total(State.STARTED, State.ABORTING))
    if left == 0:
        return []
    charged = guilty(session)
    rows = session.execute(statements.TAKE_BACK_LEFT, (_LEFT, charged.seq if charged else 0, left)).fetchall()
    ended: list[Running] = []
    for row in rows:
        running = running_of(row)
        if running.is_aborting:
            session.execute(statements.APPLY_ABORTED, (now, now, running.attempt, running.seq))
            counters.move(running.function, "aborting", "aborted")
            session.history.ended(running.function, "aborted", now, started_us=running.started_us)
            session.blocks.moved([running.seq], "aborted")
        else:
            running.losses += 1
            if running.losses >= LOSSES_TO_ISOLATE:
                running.isolation = max(running.isolation, Isolation.SUSPECT)
                session.may_hold_isolated = True
            session.execute(
                statements.TAKE_BACK, (now, running.losses, running.isolation, running.seq, running.attempt)
            )
            due, began = running.scheduled_us, running.started_us
            session.execute(statements.APPLY_ATTEMPT, (running.seq, running.attempt, due, began, now, "loss", None))
            counters.move(running.function, "started", "created")
            session.blocks.moved([running.seq], "created")
            session.heads.offer(running.function, running.scheduled_us, running.seq)
        session.heads.release(running.function)
        ended.append(running)
    return ended


def guilty(session: Session) -> Running | None:
    """Return what a dead runner left started that is to be charged with its death, which counts as a loss."""
    if session.counters.total(State.STARTED) == 0:
        return None
    row = session.execute(statements.GUILTY, (_LEFT, LOSSES_TO_CHARGE)).fetchone()
    if row is None:
        return None
    running = running_of(row)
    running.losses += 1
    return running


def go_on(session: Session, *, seq: int, attempt: int) -> bool:
    """Note that a started attempt goes on after a wait."""
    session.require_transaction()
    return session.execute(statements.GO_ON, (session.now(), seq, attempt)).rowcount == 1


def has_runner_suspects(session: Session) -> bool:
    """Return whether anything unfinished that is to be run isolated was there at two deaths of a runner in a row."""
    parameters = (LOSSES_TO_ISOLATE, STATE_BITS[State.STARTED])
    return bool(session.execute(statements.HAS_RUNNER_SUSPECTS, parameters).fetchone()[0])


def running_of(row: tuple[Any, ...]) -> Running:
    """Return the attempt that a row of ``ABORT`` or ``TAKE_BACK_LEFT`` tells of; its arguments are not read."""
    seq, id, function, state, attempt, charged, scheduled, isolation, losses, parent, started = row
    return Running(
        seq,
        id,
        function,
        attempt,
        charged,
        scheduled,
        isolation=Isolation(isolation),
        losses=losses,
        is_aborting=state == State.ABORTING,
        parent=parent,
        started_us=started,
    )


def step_back(session: Session, *, limit: int) -> int:
    """Set unmarked created rows that lie ahead of now to now, in their old order."""
    session.require_transaction()
    now = session.now()
    functions = as_list(list(session.counters.functions_with(State.CREATED)))
    rows = session.execute(statements.STEP_BACK_AHEAD, (functions, now, limit)).fetchall()
    rows += session.execute(statements.STEP_BACK_SHARED, (now, limit)).fetchall()
    rows = sorted(rows)[:limit]
    if session.may_hold_isolated:
        rows += session.execute(statements.STEP_BACK_ISOLATED, (now, limit)).fetchall()
    scheduled = now
    moves = []
    later = None
    for _, seq, function in reversed(rows):
        if later is not None and seq > later:  # at one moment the order would be that of seq, which was not theirs
            scheduled -= 1
        later = seq
        moves.append((scheduled, now, seq))
        session.heads.offer(function, scheduled, seq)
        session.blocks.scheduled(seq, scheduled, is_delayed=False)
    session.executemany(statements.STEP_BACK, moves)
    return len(rows)
