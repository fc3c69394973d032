"""Starting what is due: by (scheduled, seq) over all functions, never more of one than its limit.

What is to be run isolated comes first, and from a queue of its own (``isolating``).
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Mapping
from operator import attrgetter

import msgspec

from defer_cli.domain.errors import StoreError
from defer_cli.domain.settle import Isolation, Running
from defer_cli.domain.states import State
from defer_cli.store.contract import Claim, Ending, Limit
from defer_cli.store.sqlite import isolating, statements
from defer_cli.store.sqlite.heads import SHARED
from defer_cli.store.sqlite.session import Session
from defer_cli.store.sqlite.statements import as_list

MOST_ENDED = 1_000
"""Executions a claim cancels, discards or sets apart on its way: more would hold up the rest."""
_place_of = attrgetter("scheduled_us", "seq")
_FIRST_LOOK = 4
_LONGEST_LOOK = 1_000
_NO_OTHER = (sys.maxsize, 0, "")
_Row = tuple[int, str, str, int, int, int, int, int, str | None, int | None, str, str, str | None, int]
_decode_due = msgspec.json.Decoder(list[tuple[int, int]]).decode
_decode_rows = msgspec.json.Decoder(list[_Row]).decode
_ISOLATIONS = {int(one): one for one in Isolation}
"""By number: a look-up costs less than the enumeration's call."""


def claim(session: Session, *, limit: int, isolated: int, runner: str, functions: Mapping[str, Limit]) -> Claim:
    """Start up to ``limit`` due executions of ``functions``, and up to ``isolated`` of those to be run isolated."""
    session.require_transaction()
    now = session.now()
    if functions is not session.claimable:
        session.set_claimable(functions)
    result = Claim([], [])
    if session.may_hold_isolated:
        _start(session, isolating.pick(session, functions, now, isolated), runner, now, result)
        result.isolated = len(result.started)
        limit += result.isolated
    begun = session.take_begun()
    result.begun = len(begun)
    result.started += begun
    behind: set[str] = set()
    apart = 0
    while len(result.started) < limit and len(result.ended) + apart < MOST_ENDED:
        picking = _Picking(session, now, limit - len(result.started), behind)
        picking.pick()
        if picking.picked:
            _start(session, picking.picked, runner, now, result)
        apart += picking.apart
        for function in picking.full:
            _meet_limit(session, function, functions[function], now, result)
        if not (picking.picked or picking.apart):
            break
    for function in behind:  # nothing else would: what they wait for may be cancelled
        session.heads.release(function)
    result.started.sort(key=_place_of)
    head = session.heads.first()
    if head is not None:
        has_more_to_end = len(result.ended) + apart >= MOST_ENDED
        if head[0] > now:
            result.next_due_us = head[0]
        elif has_more_to_end:
            result.next_due_us = now
    if session.may_hold_isolated:
        result.next_due_us = isolating.earlier(session, now, result.next_due_us)
    return result


class _Look:
    """What was read of one queue; from ``start`` on it is not yet taken."""

    __slots__ = ("is_all", "last", "rows", "size", "start")

    def __init__(self) -> None:
        self.rows: list[tuple[int, int]] = []
        self.start = 0
        self.last = (-1, -1)
        self.size = _FIRST_LOOK
        self.is_all = False


class _Picking:
    """One walk over the heads of functions, in the order of the queue."""

    def __init__(self, session: Session, now: int, limit: int, behind: set[str]) -> None:
        self._session = session
        self._behind = behind
        self._now = now
        self._limit = limit
        self._looks: dict[str, _Look] = {}
        self._taken: dict[str, int] = {}
        self.picked: list[int] = []
        self.apart = 0
        self.full: set[str] = set()

    def pick(self) -> None:
        """Fill ``picked``; ``full`` are functions whose places are all held now, left out of the heads."""
        session = self._session
        heads = session.heads
        while len(self.picked) < self._limit and not self.apart:  # then what was read of queues may lack some
            head = heads.first()
            if head is None or head[0] > self._now:
                return
            function = head[2]
            options = session.queues.get(function)
            if options is None:
                heads.park_unknown(function)
                continue
            places = self._limit - len(self.picked)
            is_limited = options.concurrency is not None
            if options.concurrency is not None:
                held = session.counters.running(function) + self._taken.get(function, 0)
                places = min(places, options.concurrency - held)
            if places <= 0:
                self.full.add(function)
                heads.park_at_limit(function)
                continue
            first = isolating.first_of(session, function) if options.concurrency == 1 else None
            if first is not None and first < head[:2]:
                self._behind.add(function)
                heads.park_at_limit(function)
            else:
                heads.take_first()
                bound = heads.first() or _NO_OTHER
                taken = self._take(function, places, bound if first is None else min(bound, (*first, "")))
                if is_limited:
                    self._taken[function] = self._taken.get(function, 0) + taken
                    self._park_if_full(function, options)

    def _park_if_full(self, function: str, options: Limit) -> None:
        assert options.concurrency is not None
        if self._session.counters.running(function) + self._taken[function] >= options.concurrency:
            self.full.add(function)
            self._session.heads.park_at_limit(function)

    def _take(self, function: str, places: int, bound: tuple[int, int, str]) -> int:
        """Take up to ``places`` of one function that come before ``bound``, and set its head anew."""
        look = self._looks.get(function)
        if look is None:
            look = self._looks[function] = _Look()
        if look.start == len(look.rows):
            self._read(function, look, places, is_alone=bound[0] > self._now)
        rows = look.rows
        start, before = look.start, min(bound[:2], (self._now + 1, 0))
        stop = look.start = bisect_left(rows, before, start, min(start + places, len(rows)))
        self.picked += [seq for _, seq in rows[start:stop]]
        if stop < len(rows):
            self._session.heads.set(function, *rows[stop])
        elif not look.is_all:
            self._session.heads.set(function, *look.last)
        return stop - start

    def _read(self, function: str, look: _Look, places: int, *, is_alone: bool) -> None:
        size = min(places + 1, _LONGEST_LOOK if is_alone or function == SHARED else look.size)
        look.size = min(look.size * 2, _LONGEST_LOOK)
        look.rows, look.start = due_after(self._session, function, look.last, size), 0
        if function == SHARED and self._session.strays:
            self._set_apart(look.rows)
            if self.apart:
                look.rows = []
                return
        look.is_all = len(look.rows) < size
        if look.rows:
            look.last = look.rows[-1]

    def _set_apart(self, rows: list[tuple[int, int]]) -> None:
        """Have what does not belong into the shared queue stand in that of its function."""
        session = self._session
        seqs = [seq for _, seq in rows if seq < session.strays_before]
        if seqs:
            parameters = (as_list(seqs), as_list(list(session.strays)))
            for function, scheduled_us, seq in session.execute(statements.CLAIM_SET_APART, parameters).fetchall():
                session.heads.offer(function, scheduled_us, seq)
                self.apart += 1


def due_after(session: Session, function: str, last: tuple[int, int], size: int) -> list[tuple[int, int]]:
    """Return (scheduled, seq) of created executions after ``last``, in order.

    Two statements, because SQLite does not seek by (scheduled, seq): it would read all that share one moment.
    """
    of: tuple[str, ...] = (function,)
    at_once, later = statements.CLAIM_DUE_AT_ONCE, statements.CLAIM_DUE
    if function == SHARED:
        of, at_once, later = (), statements.CLAIM_SHARED_AT_ONCE, statements.CLAIM_SHARED
    rows = _due(session, at_once, (*of, *last, size)) if last[0] >= 0 else []
    if len(rows) < size:
        rows += _due(session, later, (*of, last[0], size - len(rows)))
    return rows


def _due(session: Session, statement: str, parameters: tuple[str | int, ...]) -> list[tuple[int, int]]:
    return sorted(_decode_due(session.execute(statement, parameters).fetchone()[0]))  # an aggregate promises no order


def _start(session: Session, picked: list[int], runner: str, now: int, result: Claim) -> None:
    rows = _decode_rows(session.execute(statements.CLAIM_READ, (as_list(picked),)).fetchone()[0])
    large = _large(session, [row[0] for row in rows if row[13]])
    started: list[Running] = []
    seqs: list[int] = []
    expired: list[tuple[int, str, str]] = []
    fromhex = bytes.fromhex
    for row in rows:
        seq, id, function, attempt, charged, due, isolation, losses, parent, discard, args, meta, trace, is_large = row
        if discard is not None and attempt == 0 and discard <= now:
            expired.append((seq, id, function))
            continue
        seqs.append(seq)
        if is_large:
            arguments, metadata = large[seq]
        else:
            arguments, metadata = fromhex(args) if args else None, fromhex(meta) if meta else None
        started.append(
            Running(
                seq,
                id,
                function,
                attempt + 1,
                charged,
                due,
                _ISOLATIONS[isolation],
                losses,
                False,
                arguments,
                metadata,
                parent,
                now,
                trace,
            )
        )
    if seqs and session.execute(statements.CLAIM, (now, now, runner, as_list(seqs))).rowcount != len(seqs):
        raise StoreError("the queue and its index disagree", mend="run `defer doctor`", is_fatal=True)
    session.follow_start(started, now, runner)
    result.started += started
    result.ended += discard_rows(session, expired, now)


def _large(session: Session, seqs: list[int]) -> dict[int, tuple[bytes | None, bytes | None]]:
    """Return arguments and metadata that do not lie in the execution's row, by ``seq``."""
    if not seqs:
        return {}
    rows = session.execute(statements.CLAIM_READ_LARGE, (as_list(seqs),))
    return {seq: (arguments, metadata) for seq, arguments, metadata in rows}


def discard_rows(session: Session, rows: list[tuple[int, str, str]], now: int) -> list[Ending]:
    """Discard executions (seq, id, function) that never started."""
    if rows:
        session.executemany(statements.DISCARD, [(now, now, seq) for seq, _, _ in rows])
        session.blocks.moved([seq for seq, _, _ in rows], "discarded")
        for _, _, function in rows:
            session.counters.move(function, "created", "discarded")
            session.history.ended(function, "discarded", now)
    return [Ending(seq, id, function, State.DISCARDED) for seq, id, function in rows]


def _meet_limit(session: Session, function: str, options: Limit, now: int, result: Claim) -> None:
    """Decide what becomes of a function whose places seemed all held when it was picked from."""
    heads = session.heads
    if options.concurrency is None or session.counters.running(function) < options.concurrency:
        heads.release(function)  # some of what was picked had expired
    elif options.action == "cancel":
        _cancel_waiting(session, function, now, result)


def _cancel_waiting(session: Session, function: str, now: int, result: Claim) -> None:
    """Cancel what of a full function is due and never started; what is due later becomes its head."""
    head = session.heads.of(function)
    if head is None:
        session.heads.pass_over(function, None)
        return
    budget = max(MOST_ENDED - len(result.ended), 0)
    rows = session.execute(statements.CLAIM_NEVER_STARTED, (function, head[0], now, budget)).fetchall()
    if rows:
        session.executemany(statements.CLAIM_CANCEL, [(now, now, seq) for _, seq, _ in rows])
        session.counters.move(function, "created", "cancelled", len(rows))
        session.history.ended(function, "cancelled", now, count=len(rows))
        session.blocks.moved([seq for _, seq, _ in rows], "cancelled")
        result.ended += [Ending(seq, id, function, State.CANCELLED) for _, seq, id in rows]
    if len(rows) == budget:
        session.heads.pass_over(function, rows[-1][:2] if rows else head[:2])
    else:
        later = _due(session, statements.CLAIM_DUE, (function, now, 1))
        session.heads.pass_over(function, later[0] if later else None)
