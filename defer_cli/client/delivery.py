"""What is on its way to a runner: what became of it, and who waits for that, each in his own way."""

from __future__ import annotations

import copy
import logging
import os
import sys
from _thread import LockType, allocate_lock
from collections.abc import Generator, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from defer_cli.client.routes import may_wait_here
from defer_cli.domain.enqueue import Enqueue, Refused, Stored
from defer_cli.domain.errors import CallRefused, DeferError, Unconfirmed
from defer_cli.domain.execution import Execution, to_moment
from defer_cli.domain.states import State

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future

    from defer_cli.client.context import AttemptScope
    from defer_cli.client.lanes import Lane

log = logging.getLogger("defer_cli")
LONGEST_WAIT_SECONDS = 30.0

Outcome: TypeAlias = int | Stored | Refused | DeferError
"""Of a call: stored as asked at this microsecond, what was stored, or why nothing was."""

_moment_of_batch = lru_cache(maxsize=16)(to_moment)
"""What is stored together has one moment."""
_generation = 0


def _new_generation() -> None:
    global _generation
    _generation += 1


os.register_at_fork(after_in_child=_new_generation)


class Witness:
    """Told of the outcome of a call, on the thread that brings it; it must neither wait nor raise."""

    __slots__ = ()

    def told(self, delivery: Delivery) -> None:
        """The call has its outcome."""


class Arrival:
    """Something awaited: its outcome is set once, by the thread that brings it; any thread or loop may wait."""

    __slots__ = ("generation", "outcome", "waiters")

    def __init__(self) -> None:
        self.outcome: Any = None
        self.waiters: list[LockType | Future[None] | Witness] = []
        self.generation = _generation

    @property
    def is_orphan(self) -> bool:
        """Whether it was left behind in the process this one was forked from."""
        return self.outcome is None and self.generation != _generation

    def wait(self, seconds: float) -> bool:
        """Block until there is an outcome; return whether there is."""
        if self.outcome is None and may_wait_here() and not self.is_orphan:
            bell = allocate_lock()
            bell.acquire()
            self.waiters.append(bell)
            try:
                if self.outcome is None:
                    bell.acquire(timeout=seconds)
            finally:
                self._leave(bell)
        return self.outcome is not None

    def __await__(self) -> Generator[Any, None, None]:
        """Wait for the outcome on the running loop, in a future of this waiter's own; never raise it."""
        if self.outcome is not None or self.is_orphan:
            return
        loop = running_loop()
        if loop is None:  # made under asyncio, awaited by another kind of loop
            self.wait(LONGEST_WAIT_SECONDS)
            return
        future: Future[None] = loop.create_future()
        self.waiters.append(future)
        if self.outcome is None:  # else it came just before: whoever brought it may not have seen the future
            try:
                yield from future.__await__()
            except BaseException:
                self._leave(future)
                raise

    def _leave(self, waiter: LockType | Future[None]) -> None:
        try:
            self.waiters.remove(waiter)
        except ValueError:
            pass


class Delivery(Arrival):
    """One call on its way."""

    __slots__ = ("call", "is_heard", "lane", "scope", "unheard")

    outcome: Outcome | None

    def __init__(self, call: Enqueue, lane: Lane, scope: AttemptScope | None) -> None:
        self.outcome = None
        self.waiters = []
        self.generation = _generation
        self.call = call
        self.lane = lane
        self.scope = scope
        self.is_heard = False
        self.unheard: Unheard | None = None

    def fresh_error(self) -> DeferError | None:
        """Return a new exception when the call was not stored, or nobody knows; None when it was stored."""
        outcome, call = self.outcome, self.call
        if outcome is None:
            return self._no_answer()
        if isinstance(outcome, Refused):
            return CallRefused(outcome.problem, where=f"{call.function}, id {call.id}", mend=outcome.mend)
        if isinstance(outcome, DeferError):
            error = copy.copy(outcome)
            error.where = error.where or f"{call.function}, id {call.id}"
            return error
        return None

    def hear(self) -> DeferError | None:
        """Return ``fresh_error`` to somebody who raises it."""
        error = self.fresh_error()
        if error is not None:
            self.is_heard = True
            if self.unheard is not None:
                self.unheard.heard(self)
        return error

    def execution(self) -> Execution:
        """Return the execution as it was stored; raise why it was not."""
        call, stored = self.call, self.outcome
        if type(stored) is int:  # most calls: stored as asked
            state, attempt = State.CREATED, 0
            updated_at = _moment_of_batch(stored)
            created_at = to_moment(min(call.called_us, stored))
            later_us = call.scheduled_us
            scheduled_at = updated_at if later_us is None or later_us <= stored else to_moment(later_us)
        elif isinstance(stored, Stored):
            state, attempt = State(stored.state), stored.attempt
            created_at = to_moment(stored.created_us)
            scheduled_at, updated_at = to_moment(stored.scheduled_us), to_moment(stored.updated_us)
        else:
            raise self.hear() or AssertionError(stored)
        return Execution(
            id=call.id,
            function=call.function,
            state=state,
            attempt=attempt,
            created_at=created_at,
            scheduled_at=scheduled_at,
            updated_at=updated_at,
            discard_after=None if call.discard_us is None else to_moment(call.discard_us),
            metadata=dict(call.metadata) if call.metadata else {},
            parent=call.parent,
        )

    def _no_answer(self) -> Unconfirmed:
        call = self.call
        if self.is_orphan:
            return Unconfirmed(
                f"{call.function} was called before this process was forked: unknown whether stored; id {call.id}",
                mend="await it in the process that made it",
            )
        return unconfirmed(call, LONGEST_WAIT_SECONDS)


def unconfirmed(call: Enqueue, seconds: float) -> Unconfirmed:
    """Return the error of a call that got no answer."""
    return Unconfirmed(
        f"{call.function} got no answer within {seconds:g} s: unknown whether stored; id {call.id}",
        mend="look for it with `defer show`, or call again with the same key",
    )


class Unheard:
    """The refused calls of one batch that nobody has listened to; logged in one line when the last is dropped."""

    def __init__(self, refused: Iterable[Delivery]) -> None:
        self._problems: dict[str, str] = {}
        for delivery in refused:
            delivery.unheard = self
            self._problems[delivery.call.id] = str(delivery.fresh_error())

    def heard(self, delivery: Delivery) -> None:
        """Somebody was told of this one."""
        self._problems.pop(delivery.call.id, None)

    def __del__(self) -> None:
        if self._problems:
            first = next(iter(self._problems.values()))
            log.error("%s call(s) failed and nobody awaited them; the first: %s", len(self._problems), first)


def settle(deliveries: Iterable[Delivery], outcomes: Iterable[Outcome]) -> None:
    """Give each its outcome and wake who waits; one wake-up a loop, however many wait on it."""
    arrived: list[Arrival] = []
    refused: list[Delivery] = []
    for delivery, outcome in zip(deliveries, outcomes, strict=True):
        if delivery.outcome is not None:  # given up before this late answer
            continue
        delivery.outcome = outcome
        kind = type(outcome)
        if kind is not int and kind is not Stored:
            if not delivery.is_heard:
                refused.append(delivery)
            if delivery.scope is not None:
                delivery.scope.refused.append(delivery)
        if delivery.scope is not None:
            delivery.scope.pending.discard(delivery)
        if delivery.waiters:
            arrived.append(delivery)
    if refused:
        Unheard(refused)
    if arrived:
        wake(arrived)


def wake(arrived: Iterable[Arrival]) -> None:
    """Wake who waits for these; their outcomes are set."""
    by_loop: dict[AbstractEventLoop, list[Future[None]]] = {}
    for arrival in arrived:
        for waiter in arrival.waiters:
            if isinstance(waiter, LockType):
                try:
                    waiter.release()
                except RuntimeError:  # an answer and the deadline came at once, on two threads
                    pass
            elif isinstance(waiter, Witness):
                if isinstance(arrival, Delivery):
                    waiter.told(arrival)
            else:
                by_loop.setdefault(waiter.get_loop(), []).append(waiter)
        arrival.waiters.clear()  # who comes late looks at the outcome first
    for loop, futures in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, futures)
        except RuntimeError:  # the loop has closed, and its waiters with it
            pass


def _resolve(futures: list[Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


def running_loop() -> AbstractEventLoop | None:
    """Return the event loop that runs on this thread; where asyncio is not loaded, none can."""
    events = sys.modules.get("asyncio.events")
    get = getattr(events, "_get_running_loop", None)
    return None if get is None else get()
