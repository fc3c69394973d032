"""Deleting what has ended long ago, a step at a time."""

from __future__ import annotations

from defer_cli.store.contract import Pruned
from defer_cli.store.sqlite import statements
from defer_cli.store.sqlite.session import Session, as_list


def prune(session: Session, *, before_us: int, from_seq: int, limit: int) -> Pruned:
    """Delete executions that finished before a moment, looking at ``limit`` of them from ``from_seq`` on."""
    session.require_transaction()
    rows = session.execute(statements.PRUNE_LOOK, (from_seq, limit)).fetchall()
    gone = [row for row in rows if row[3] is not None and row[3] < before_us and row[4]]
    seqs = as_list([row[0] for row in gone])
    for statement in statements.PRUNE:
        session.execute(statement, (seqs,))
    for _, function, state, _, _ in gone:
        session.counters.add(function, state, -1)
    return Pruned(len(gone), rows[-1][0] + 1 if len(rows) == limit else None)
