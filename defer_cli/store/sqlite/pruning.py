"""Deleting what ended long ago, a step at a time, with everything that belongs to it."""

from __future__ import annotations

from typing import Any

import msgspec

from defer_cli.domain.ids import tick_of
from defer_cli.store.contract import Pruned
from defer_cli.store.sqlite import statements
from defer_cli.store.sqlite.blocks import BLOCK_BITS
from defer_cli.store.sqlite.session import Session
from defer_cli.store.sqlite.statements import as_list

_PAGES_A_STEP = 1_000
"""Pages of 4 KiB that a step gives back to the file system."""
_decode_metadata = msgspec.json.Decoder(dict[str, str]).decode


def prune(session: Session, *, before_us: int, from_seq: int, limit: int) -> Pruned:
    """Delete executions that finished before a moment, looking at ``limit`` of them from ``from_seq`` on."""
    session.require_transaction()
    looked_at = session.execute(statements.PRUNE_LOOK, (from_seq, limit)).fetchall()
    next_seq = looked_at[-1][0] + 1 if len(looked_at) == limit else None
    ended = [seq for seq, finished_us in looked_at if finished_us is not None and finished_us < before_us]
    rows = session.execute(statements.PRUNE_READ, (as_list(ended),)).fetchall() if ended else []
    if rows:
        _delete(session, rows)
    return Pruned(len(rows), next_seq)


def _delete(session: Session, rows: list[Any]) -> None:
    seqs = as_list([row[0] for row in rows])
    pairs: list[tuple[str, str, int]] = []
    ticks: list[tuple[str, int, str]] = []
    for seq, id, function, state, came_from, metadata in rows:
        session.counters.add(function, state, -1)
        if metadata is not None:
            pairs += [(key, value, seq) for key, value in _decode_metadata(metadata).items()]
        if came_from == "tick":
            ticks.append((function, tick_of(id), id))
    session.executemany(statements.PRUNE_METADATA, pairs)
    session.executemany(statements.PRUNE_TICK, ticks)
    for statement in statements.PRUNE:
        session.execute(statement, (seqs,))
    session.blocks.emptied({row[0] >> BLOCK_BITS for row in rows})
    session.execute(statements.PRUNE_KEEP_SEQ, (session.next_seq,))
    _give_back(session)


def _give_back(session: Session) -> None:
    """Give empty pages back to the file system; Python's sqlite3 takes a step of this pragma, one page, a call."""
    (empty,) = session.execute(statements.EMPTY_PAGES).fetchone()
    for _ in range(min(empty, _PAGES_A_STEP)):
        session.execute(statements.GIVE_BACK)
