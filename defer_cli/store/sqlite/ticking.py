"""Crons on disk: ticks that happen once, marks that find gaps, gaps to be shown."""

from __future__ import annotations

from collections.abc import Sequence

from defer_cli.domain.enqueue import Refused, Stored
from defer_cli.domain.errors import StoreError
from defer_cli.store.contract import Gap, Mark, Tick
from defer_cli.store.sqlite import statements
from defer_cli.store.sqlite.inserting import insert
from defer_cli.store.sqlite.session import Session


def fire(session: Session, ticks: Sequence[Tick]) -> list[Stored | None]:
    """Insert tick rows with their executions and marks; None where the tick's row was there already."""
    session.require_transaction()
    new = [
        place
        for place, tick in enumerate(ticks)
        if session.execute(statements.FIRE, (tick.function, tick.tick_us, tick.call.id)).rowcount
    ]
    session.executemany(statements.FIRE_MARK, [(tick.function, tick.canonical, tick.tick_us) for tick in ticks])
    fired: list[Stored | None] = [None] * len(ticks)
    for place, stored in zip(new, _insert(session, [ticks[place] for place in new]), strict=True):
        fired[place] = stored
    return fired


def _insert(session: Session, ticks: Sequence[Tick]) -> list[Stored]:
    results: list[Stored] = []
    for result in insert(session, [tick.call for tick in ticks], scheduled=[tick.tick_us for tick in ticks]):
        if isinstance(result, Refused):
            raise StoreError(f"a tick was refused: {result.problem}")
        results.append(result)
    return results


def marks(session: Session) -> list[Mark]:
    """Return the mark of every (function, canonical form)."""
    return [Mark(*row) for row in session.execute(statements.MARKS).fetchall()]


def set_marks(session: Session, marks: Sequence[Mark]) -> None:
    """Set marks, also backwards."""
    session.executemany(statements.SET_MARKS, [(mark.function, mark.canonical, mark.mark_us) for mark in marks])


def forget_marks(session: Session, keep: Sequence[tuple[str, str]]) -> None:
    """Remove all marks but those of ``keep``."""
    known = {(mark.function, mark.canonical) for mark in marks(session)}
    session.executemany(statements.FORGET_MARK, sorted(known - set(keep)))


def record_gaps(session: Session, gaps: Sequence[Gap]) -> None:
    """Keep the gaps, to be shown."""
    session.executemany(
        statements.RECORD_GAPS, [(gap.function, gap.canonical, gap.after_us, gap.until_us, gap.reason) for gap in gaps]
    )


def lengthen_gaps(session: Session, gaps: Sequence[Gap]) -> None:
    """Keep the gaps; one that goes on where the last of its cron with its reason ended becomes one with it."""
    for gap in gaps:
        row = gap.function, gap.canonical, gap.after_us, gap.until_us, gap.reason
        if not session.execute(statements.LENGTHEN_GAP, row).rowcount:
            session.execute(statements.RECORD_GAPS, row)


def pause(session: Session, function: str) -> bool:
    """Keep that a cron is paused from now on; False: it was already."""
    return bool(session.execute(statements.PAUSE, (function, session.now())).rowcount)


def resume(session: Session, function: str) -> bool:
    """Keep that a cron is paused no more; False: it was not."""
    return bool(session.execute(statements.RESUME, (function,)).rowcount)
