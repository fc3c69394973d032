"""Storing calls, each id once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec

from defer_cli.domain.arguments import hashed_form
from defer_cli.domain.enqueue import Enqueue, Refused, Stored
from defer_cli.domain.settle import Running
from defer_cli.store.contract import Taker
from defer_cli.store.sqlite import statements
from defer_cli.store.sqlite.blocks import Blocks
from defer_cli.store.sqlite.heads import SHARED
from defer_cli.store.sqlite.session import Session
from defer_cli.store.sqlite.statements import as_list

_SEQ, _ID, _FUNCTION, _IS_DELAYED, _SOURCE, _DUE, _UPDATED, _DISCARD, _IS_SHARED = 0, 1, 2, 3, 4, 9, 10, 11, 15
"""Places in a row as it is written."""
_LATEST_US = 253_402_300_799_999_999
"""The last microsecond of the year 9999, beyond which no moment can be shown."""
NO_ARGUMENTS = b"[]"
LARGEST_INLINE = 256
"""Bytes of arguments and metadata, or of a result, that lie in the execution's own row: every move rewrites them."""
_encode = msgspec.json.encode
_decode_metadata = msgspec.json.Decoder(dict[str, str]).decode


def insert(
    session: Session,
    calls: Sequence[Enqueue],
    *,
    scheduled: Sequence[int] | None = None,
    taker: Taker | None = None,
) -> list[Stored | Refused]:
    """Store calls, one result each; ``scheduled`` gives ticks their times, past ones too, whatever was asked.

    Those that a claim of ``taker`` would start next are stored as started, for that claim to return.
    """
    session.require_transaction()
    now = session.now()
    first_seq, sharing = session.next_seq, session.sharing
    results: list[Stored | Refused] = []
    rows: list[tuple[Any, ...]] = []
    payloads: list[tuple[int, bytes, bytes | None]] = []
    for seq, call in enumerate(calls, start=first_seq):
        created = call.called_us if 0 < call.called_us < now else now
        asked = call.scheduled_us
        due = now
        is_delayed = 0
        if scheduled is not None:
            due = scheduled[seq - first_seq]
        elif asked is not None and asked > now:
            due = min(asked, _LATEST_US)
            is_delayed = 1
        discard = call.discard_us
        if discard is not None:
            discard = min(max(discard, 0), _LATEST_US)
        arguments: bytes | None = call.arguments
        metadata = _encode(call.metadata) if call.metadata else None
        if arguments == NO_ARGUMENTS and metadata is None:
            arguments = None
        elif len(call.arguments) + len(metadata or b"") > LARGEST_INLINE:
            payloads.append((seq, call.arguments, metadata))
            arguments = metadata = None
        rows.append(
            (
                seq,
                call.id,
                call.function,
                is_delayed,
                call.came_from,
                call.parent,
                call.call_hash,
                call.rerun_of,
                created,
                due,
                now,
                discard,
                arguments,
                metadata,
                call.trace,
                due <= now and (sharing is None or call.function in sharing),
            )
        )
        results.append(Stored(call.id, True, "created", 0, created, due, now))
    if not rows:
        return results
    session.next_seq = first_seq + len(rows)
    begun = 0 if taker is None else _count_next(session, rows, taker)
    written = 0
    if taker is not None and begun:
        started = [(*row, now, taker.runner) for row in rows[:begun]]
        written = _write(session, started, statements.INSERT_STARTED, statements.INSERT_STARTED_MANY)
    written += _write(session, rows[begun:], statements.INSERT, statements.INSERT_MANY)
    if written == len(rows):
        _follow(session, calls, rows, payloads, begun)
        _follow_start(session, calls[:begun], rows[:begun], taker)
        return results
    existing = _existing(session, calls)
    new = {row[_SEQ] for row in rows if existing[row[_ID]][0] == row[_SEQ]}
    new_calls = [call for call, row in zip(calls, rows, strict=True) if row[_SEQ] in new]
    new_rows = [row for row in rows if row[_SEQ] in new]
    begun = sum(row[_SEQ] < first_seq + begun for row in new_rows)
    _follow(session, new_calls, new_rows, [payload for payload in payloads if payload[0] in new], begun)
    _follow_start(session, new_calls[:begun], new_rows[:begun], taker)
    for position, (call, row) in enumerate(zip(calls, rows, strict=True)):
        if row[_SEQ] not in new:
            results[position] = _earlier(session, call, existing[call.id])
    return results


def _count_next(session: Session, rows: Sequence[tuple[Any, ...]], taker: Taker) -> int:
    """Return how many of new rows, from the first, a claim would start before anything else."""
    functions = taker.functions
    if session.may_hold_isolated or functions is not session.claimable:
        return 0
    head = session.heads.first()
    if head is not None and head[0] <= rows[0][_UPDATED]:
        return 0
    count = 0
    for row in rows[: max(taker.limit - len(session.begun), 0)]:
        options = functions.get(row[_FUNCTION])
        if options is None or options.concurrency is not None or row[_DUE] > row[_UPDATED] or row[_DISCARD] is not None:
            break
        count += 1
    return count


def _write(session: Session, rows: Sequence[tuple[Any, ...]], one: str, many: str) -> int:
    """Write the rows whose ids are new; return how many they are."""
    at_once = statements.INSERT_AT_ONCE
    rest = len(rows) % at_once
    written = session.executemany(one, rows[:rest]).rowcount if rest else 0
    for start in range(rest, len(rows), at_once):
        values = list(chain.from_iterable(rows[start : start + at_once]))
        written += session.execute(many, values).rowcount
    return written


def rerun(session: Session, id: str, new_id: str) -> bool:
    """Insert a new execution of the same function, arguments and metadata."""
    rows = session.execute(statements.RERUN_SOURCE, (id,)).fetchall()
    for function, arguments, metadata in rows:
        call = Enqueue(
            new_id,
            function,
            NO_ARGUMENTS if arguments is None else arguments,
            session.now(),
            metadata=None if metadata is None else _decode_metadata(metadata),
            came_from="rerun",
            rerun_of=id,
        )
        insert(session, [call])
    return bool(rows)


def _follow(
    session: Session,
    calls: Sequence[Enqueue],
    rows: Sequence[tuple[Any, ...]],
    payloads: Sequence[tuple[int, bytes, bytes | None]],
    begun: int,
) -> None:
    """Write what goes with new executions: large payloads, metadata, counters, heads, blocks.

    The first ``begun`` are stored as started: they stand in no queue, so no head is theirs.
    """
    if payloads:
        session.executemany(statements.INSERT_PAYLOAD, payloads)
        session.written_bytes += sum([len(payload[1]) for payload in payloads])
    heads = session.heads
    created_of: dict[str, int] = {}
    pairs: list[tuple[str, str, int]] = []
    for call, row in zip(calls, rows, strict=True):
        function = call.function
        created_of[function] = created_of.get(function, 0) + 1
        if call.metadata:
            seq = row[_SEQ]
            pairs.extend([(key, value, seq) for key, value in call.metadata.items()])
    if pairs:
        session.executemany(statements.INSERT_METADATA, pairs)
    for row in rows[begun:]:
        heads.offer(SHARED if row[_IS_SHARED] else row[_FUNCTION], row[_DUE], row[_SEQ])
    for function, count in created_of.items():
        session.counters.add(function, "created", count)
    _tell_blocks(session.blocks, rows)


def _follow_start(
    session: Session, calls: Sequence[Enqueue], rows: Sequence[tuple[Any, ...]], taker: Taker | None
) -> None:
    """Do the same for those of them that were stored as started, and keep them for the claim."""
    if taker is None or not rows:
        return
    now = rows[0][_UPDATED]
    started = [
        Running(
            row[_SEQ],
            call.id,
            call.function,
            1,
            0,
            row[_DUE],
            arguments=None if call.arguments == NO_ARGUMENTS else call.arguments,
            metadata=_encode(call.metadata) if call.metadata else None,
            parent=call.parent,
            started_us=now,
            trace=call.trace,
        )
        for call, row in zip(calls, rows, strict=True)
    ]
    session.begun += started
    session.follow_start(started, now, taker.runner)


def _tell_blocks(blocks: Blocks, rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    dues = [row[_DUE] for row in rows]
    sources = {row[_SOURCE] for row in rows}
    is_delayed = [row[_IS_DELAYED] for row in rows]
    if len(sources) == 1 and not any(is_delayed):
        blocks.inserted(range(rows[0][_SEQ], rows[-1][_SEQ] + 1), sources.pop(), (min(dues), max(dues)))
        return
    for row in rows:
        seq, due, is_later = row[_SEQ], row[_DUE], row[_IS_DELAYED]
        blocks.inserted(range(seq, seq + 1), row[_SOURCE], None if is_later else (due, due))
        if is_later:
            blocks.scheduled(seq, due, is_delayed=True)


_Found = tuple[int, str, str, str, int, int, int, int]


def _existing(session: Session, calls: Sequence[Enqueue]) -> dict[str, _Found]:
    ids = as_list([call.id for call in calls])
    return {row[1]: row for row in session.execute(statements.INSERT_EXISTING, (ids,))}


def _earlier(session: Session, call: Enqueue, found: _Found) -> Stored | Refused:
    seq, id, function, state, attempt, created_us, scheduled_us, updated_us = found
    named = f"the id {id}" if call.key is None else f"the key {call.key!r} (id {id})"
    if function != call.function:
        return Refused(
            id, f"{named} belongs to a call of {function}, not of {call.function}", "use an id or a key of its own"
        )
    row = session.execute(statements.INSERT_EXISTING_ARGUMENTS, (seq,)).fetchone()
    stored = NO_ARGUMENTS if row is None or row[0] is None else row[0]
    if stored != call.arguments and hashed_form(stored) != hashed_form(call.arguments):
        return Refused(
            id,
            f"{named} belongs to an earlier call of {function} with other arguments",
            "use another key, or the arguments of the earlier call",
        )
    return Stored(id, False, state, attempt, created_us, scheduled_us, updated_us)
