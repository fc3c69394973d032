"""Deleting what ended long ago, a step at a time, with everything that belongs to it."""

from __future__ import annotations

from itertools import accumulate
from sqlite3 import Connection
from typing import Any

import msgspec

from defer_cli.domain.ids import tick_of
from defer_cli.domain.retention import Round
from defer_cli.store.contract import Pruned
from defer_cli.store.sqlite import statements
from defer_cli.store.sqlite.blocks import BLOCK_BITS, OPEN_STATES
from defer_cli.store.sqlite.session import Session
from defer_cli.store.sqlite.statements import as_list

_MOST_BYTES = 2 * 1024 * 1024
"""Of payloads and logs that a step deletes, about: their pages are given free one by one."""
_MOVED_BYTES = 3 * 4096
"""What it writes ahead to give a page back: another is moved into its place, and a third one points to that."""
_decode_metadata = msgspec.json.Decoder(dict[str, str]).decode
_encode_lines = msgspec.msgpack.Encoder().encode


def prune(session: Session, *, before_us: int, from_seq: int, limit: int, most: int | None = None) -> Pruned:
    """Delete up to ``most`` executions that finished before a moment, looking at ``limit`` from ``from_seq`` on."""
    session.require_transaction()
    ended, next_seq, reached_us = _look(session, statements.PRUNE_LOOK, before_us, from_seq, limit, most)
    rows = session.execute(statements.PRUNE_READ, (as_list(ended),)).fetchall() if ended else []
    fitting = _fitting([row[-1] for row in rows])
    if fitting < len(rows):
        next_seq = rows[fitting][0]
    if rows:
        _delete(session, rows[:fitting])
    return Pruned(fitting, next_seq, reached_us)


def prune_logs(session: Session, *, before_us: int, from_seq: int, limit: int, most: int, note: str) -> Pruned:
    """Delete what up to ``most`` executions printed that finished before a moment; ``note`` takes its place."""
    session.require_transaction()
    ended, next_seq, reached_us = _look(session, statements.PRUNE_LOGS_LOOK, before_us, from_seq, limit, most)
    rows = session.execute(statements.PRUNE_LOGS_READ, (as_list(ended),)).fetchall() if ended else []
    sizes: dict[int, int] = {}
    for seq, _, _, size in rows:
        sizes[seq] = sizes.get(seq, 0) + size
    seqs = list(sizes)[: _fitting(list(sizes.values()))]
    if len(seqs) < len(sizes):
        next_seq = seqs[-1] + 1
    if seqs:
        lines = _encode_lines([[session.now(), "defer", note]])
        noted = [(lines, *row[:3]) for row in rows if row[0] <= seqs[-1]]
        session.executemany(statements.PRUNE_LOGS_NOTE, noted)
        session.execute(statements.PRUNE_LOGS, (as_list(seqs),))
    return Pruned(len(seqs), next_seq, reached_us)


def give_back(session: Session, *, limit: int, spared: float = 0.0) -> int:
    """Give empty pages back to the file system; Python's sqlite3 takes a step of this pragma, one page, a call."""
    session.require_transaction()
    (pages,) = session.execute(statements.PAGES).fetchone()
    (empty,) = session.execute(statements.EMPTY_PAGES).fetchone()
    given: int = max(min(int((empty - spared * pages) / (1 - spared)), limit), 0)
    for _ in range(given):
        session.execute(statements.GIVE_BACK)
    session.written_bytes += given * _MOVED_BYTES
    return given


def keep_round(session: Session, made: Round) -> None:
    """Keep what a round of retention came to, in the place of the one before."""
    session.require_transaction()
    session.execute(statements.KEEP_ROUND, (msgspec.json.encode(made).decode(),))


def last_round(connection: Connection) -> Round | None:
    """Return what the last round of retention came to."""
    row = connection.execute(statements.LAST_ROUND).fetchone()
    return None if row is None else msgspec.json.decode(row[0], type=Round)


def count_kept(connection: Connection) -> int:
    """Return how many have finished and stay because their parent has not."""
    (count,) = connection.execute(statements.COUNT_KEPT, (OPEN_STATES,)).fetchone()
    return int(count)


def _look(
    session: Session, statement: str, before_us: int, from_seq: int, limit: int, most: int | None
) -> tuple[list[int], int | None, int | None]:
    """Return what may be deleted, where to go on, and when the last one that was looked at was made."""
    ended: list[int] = []
    looked_at, seq, reached_us = 0, from_seq, None
    rows = session.execute(statement, (from_seq, limit))
    for seq, created_us, finished_us in rows:
        looked_at += 1
        reached_us = created_us
        if finished_us is not None and finished_us < before_us:
            ended.append(seq)
            if len(ended) == most:
                break
    rows.close()
    is_whole = looked_at < limit and len(ended) != most
    return ended, None if is_whole else seq + 1, reached_us


def _fitting(sizes: list[int]) -> int:
    """Return how many of these fit a step: one at least."""
    return max(sum(total <= _MOST_BYTES for total in accumulate(sizes)), min(len(sizes), 1))


def _delete(session: Session, rows: list[Any]) -> None:
    seqs = as_list([row[0] for row in rows])
    pairs: list[tuple[str, str, int]] = []
    ticks: list[tuple[str, int, str]] = []
    for seq, id, function, state, came_from, metadata, _ in rows:
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
