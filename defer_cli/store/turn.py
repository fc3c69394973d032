"""One commit of the writer: what was asked for, and what came of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import groupby, islice
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.errors import StoreError
from defer_cli.domain.log_chunk import LogChunk
from defer_cli.domain.settle import Move
from defer_cli.store.contract import Claim, Store, Taker

_log = logging.getLogger(__name__)
Work = Callable[[Store], Any]
OnDone = Callable[[Any, BaseException | None], None]
Told = tuple[OnDone, Any, BaseException | None]


class Ahead(Protocol):
    """Who is told of a claim while the commit that starts it is still on its way."""

    def claimed_ahead(self, commit: int, claim: Claim) -> None:
        """On the loop: prepare what ``claim`` started, and let nothing of it run."""

    def may_begin(self, commit: int) -> None:
        """On the writer's thread: the commit stands, what was prepared may run."""

    def undone(self, commit: int, claim: Claim) -> None:
        """On the loop: the commit has failed, nothing of ``claim`` was started; its slots are granted again."""


class Request(NamedTuple):
    """Something one caller asked for, and whom to tell."""

    weight: int
    on_done: OnDone
    work: Work | None
    """None: ``calls`` are to be stored. Those are refused by their results, and what they raise fails the commit."""
    calls: Sequence[Enqueue] = ()
    is_told_on_thread: bool = False


class Turn:
    """What one commit holds, and what became of it."""

    __slots__ = ("answers", "applied", "chunks", "claim", "commit", "failure", "moves", "requests", "results")

    def __init__(self) -> None:
        self.moves: list[Move] = []
        self.requests: list[Request] = []
        self.chunks: list[LogChunk] = []
        self.applied: list[bool] = []
        self.results: list[Told] = []  # told on the loop
        self.answers: list[Told] = []  # told on the thread
        self.claim: Claim | None = None
        self.commit = 0
        """Its number, when somebody was told of its claim ahead; else 0."""
        self.failure: BaseException | None = None

    @property
    def has_news(self) -> bool:
        """Whether the loop is to be told of it."""
        if self.failure is not None or self.moves or self.results:
            return True
        claim = self.claim
        return claim is not None and bool(claim.started or claim.ended or claim.next_due_us is not None)

    @property
    def has_started(self) -> bool:
        """Whether executions are to be given to workers."""
        return self.claim is not None and bool(self.claim.started)

    @property
    def is_unheard_of(self) -> bool:
        """Whether nobody could miss what it starts, or ask for it again, if a loss of power undid it.

        That are calls of this commit, whose callers have no answer yet, and that have no key and no parent to be found
        by. Who is told on the loop may have accepted a call before: the inbox has.
        """
        claim = self.claim
        return (
            claim is not None
            and claim.begun == len(claim.started)
            and all(
                request.is_told_on_thread and all(call.key is None and call.parent is None for call in request.calls)
                for request in self.requests
                if request.work is None
            )
        )

    def leave_out_due(self, known_us: int | None) -> int | None:
        """Leave out when the next is due where the loop knows it: waking it costs more; return what it knows then."""
        claim = self.claim
        if claim is None or claim.next_due_us is None:
            return known_us
        due_us = claim.next_due_us
        if due_us == known_us:
            claim.next_due_us = None
        return due_us

    def answer(self) -> None:
        """Tell those who are told on this thread, unless the commit has failed."""
        if self.failure is not None:
            return
        for on_done, value, error in self.answers:
            try:
                on_done(value, error)
            except Exception:
                _log.exception("an answer could not be given")


def as_store_error(error: BaseException) -> StoreError:
    """Return what a store raised, named."""
    if isinstance(error, StoreError):
        return error
    return StoreError(f"the store failed: {type(error).__name__}: {error}")


def meet(store: Store, turn: Turn, taker: Taker | None) -> None:
    """Do what was asked for, in its order."""
    for work, requests in groupby(turn.requests, key=attrgetter("work")):
        if work is None:
            _insert(list(requests), store, turn, taker)
        else:
            turn.results += [_guarded(request.on_done, work, store) for request in requests]


def _insert(requests: Sequence[Request], store: Store, turn: Turn, taker: Taker | None) -> None:
    """Store the calls of requests that came in a row at once: a call alone costs far more than one of many."""
    results = iter(store.insert([call for request in requests for call in request.calls], taker=taker))
    for request in requests:
        told = turn.answers if request.is_told_on_thread else turn.results
        told.append((request.on_done, list(islice(results, request.weight)), None))


def write_apart(store: Store, turn: Turn, apply: Callable[[Store, Sequence[Move]], list[bool]]) -> None:
    """Write outcomes, then each request alone: what finds no room on a full disk takes nothing along."""
    if turn.moves:
        with store.transaction():
            turn.applied = apply(store, turn.moves)
    for request in turn.requests:
        told: Told
        try:
            with store.transaction():
                if request.work is None:
                    told = request.on_done, store.insert(request.calls), None
                else:
                    told = _guarded(request.on_done, request.work, store)
        except Exception as error:
            failure = as_store_error(error)
            if failure.is_fatal:
                raise
            told = request.on_done, None, failure
        (turn.answers if request.is_told_on_thread else turn.results).append(told)


def _guarded(on_done: OnDone, work: Work, store: Store) -> Told:
    """Do what was asked for; what it raises undoes it alone."""
    try:
        with store.savepoint():
            return on_done, work(store), None
    except StoreError:
        raise
    except Exception as error:
        return on_done, None, error
