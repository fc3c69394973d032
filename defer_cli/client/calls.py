"""Making a call, and the handles it gives back."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Generator, Mapping
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar, final

from defer_cli.client.binding import bind, by_name
from defer_cli.client.context import Handle, scope_here
from defer_cli.client.delivery import LONGEST_WAIT_SECONDS, Delivery, running_loop
from defer_cli.client.failures import failure_of
from defer_cli.client.fresh_ids import fresh_id
from defer_cli.client.lanes import lane_for
from defer_cli.client.process import sender
from defer_cli.client.routes import may_wait_here
from defer_cli.client.shipments import LongWait
from defer_cli.client.tracing import is_traced, trace_call
from defer_cli.domain.arguments import encode_arguments
from defer_cli.domain.call_options import NO_OPTIONS, CallOptions
from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.errors import ArgumentError, DeferError, Unconfirmed
from defer_cli.domain.execution import Execution, to_microseconds
from defer_cli.domain.ids import keyed_id
from defer_cli.domain.states import State
from defer_cli.link.frames import Ended, Wait

R_co = TypeVar("R_co", covariant=True)
_LONGEST_TIMEOUT_SECONDS = 30 * 86_400.0
_MICROSECOND = timedelta(microseconds=1)


class Callee(Protocol):
    """What a call needs to know of its function."""

    fn: Callable[..., Any]
    name: str
    file: str
    call_options: CallOptions


@final
class Call(Handle):
    """One call on its way; await it for the ``Execution`` once that is on disk."""

    __slots__ = ("_delivery",)

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    @property
    def id(self) -> str:
        """The id of the execution, known before it is stored."""
        return self._delivery.call.id

    def __await__(self) -> Generator[Any, None, Execution]:
        """Wait until the call is on disk; raise why it is not. Cancelling the wait does not recall the call."""
        delivery = self._delivery
        if delivery.outcome is None:
            yield from delivery.__await__()
        return delivery.execution()

    def wait(self, timeout: float | None = None) -> Execution:
        """Block until the call is on disk, at most ``timeout`` seconds (30 by default); raise why it is not."""
        self._delivery.wait(LONGEST_WAIT_SECONDS if timeout is None else timeout)
        return self._delivery.execution()

    def __repr__(self) -> str:
        call = self._delivery.call
        return f"<Call of {call.function}, id {call.id}: {_progress(self._delivery)}>"


@final
class ResultCall(Handle, Generic[R_co]):
    """One call on its way; await it for what the function returns."""

    __slots__ = ("_delivery", "_ends")

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._ends: dict[int, LongWait] = {}  # by the attempt that waits: each gives back a slot of its own

    @property
    def id(self) -> str:
        """The id of the execution, known before it is stored."""
        return self._delivery.call.id

    def __await__(self) -> Generator[Any, None, R_co]:
        """Wait for the result; raise ``ExecutionFailed`` when there is none. Cancelling the wait leaves it running."""
        yield from self._delivery.__await__()
        while True:
            end = self._ask_for_end()
            try:
                yield from end.__await__()
            except BaseException:
                end.leave()
                raise
            if not end.is_cut:
                return self._result(end)

    def wait(self, timeout: float | None = None) -> R_co:
        """Block until the function has ended; raise ``TimeoutError`` when that takes over ``timeout`` seconds.

        Refused on the loop of a worker: what is waited for may have to run on that loop.
        """
        if running_loop() is not None and scope_here() is not None:
            raise DeferError(
                f"{self._delivery.call.function}, id {self.id}, may have to run on the event loop that wait() blocks",
                mend="await it, or wait in a thread: `await asyncio.to_thread(call.wait)`",
            )
        seconds = _LONGEST_TIMEOUT_SECONDS if timeout is None else timeout
        deadline = monotonic() + seconds
        self._delivery.wait(min(seconds, LONGEST_WAIT_SECONDS))
        while True:
            end = self._ask_for_end()
            try:
                has_ended = end.wait(max(deadline - monotonic(), 0.0))
            except BaseException:
                end.leave()
                raise
            if not has_ended and not end.is_orphan:
                end.leave()
                what = f"{self._delivery.call.function}, id {self.id},"
                raise TimeoutError(f"{what} has not ended within {seconds:g} s")
            if not end.is_cut:
                return self._result(end)

    def __repr__(self) -> str:
        call = self._delivery.call
        return f"<ResultCall of {call.function}, id {call.id}: {_progress(self._delivery)}>"

    def _ask_for_end(self) -> LongWait:
        delivery = self._delivery
        if (error := delivery.hear()) is not None:
            raise error
        scope = scope_here()
        seq = 0 if scope is None else scope.seq
        end = self._ends.get(seq)
        if end is None or isinstance(end.outcome, DeferError):
            desk, id = sender(), delivery.call.id
            purpose = f"tell the end of {delivery.call.function}, id {id}, which is stored"
            end = LongWait(delivery.lane, desk, lambda number: Wait(number, id, seq), purpose)
            self._ends[seq] = end
            desk.put(end)
        return end

    def _result(self, end: LongWait) -> R_co:
        ended = end.outcome
        if isinstance(ended, DeferError):
            raise copy.copy(ended)
        if not isinstance(ended, Ended):
            raise Unconfirmed(f"the end of {self._delivery.call.function}, id {self.id}, is not known in this process")
        if ended.state == State.SUCCEED:
            result: R_co = json.loads(ended.result) if ended.result else None  # type: ignore[assignment]
            return result
        raise failure_of(ended.id, self._delivery.call.function, ended.state, ended.error)


def make_call(fn: Callee, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
    """Check the arguments and put the call on its way; with no event loop running, wait until it is on disk.

    Raises ``ArgumentError`` before anything is sent; when it waits, also ``CallRefused`` and ``Unconfirmed``.
    """
    return Call(_send(fn, args, kwargs))


def make_result_call(fn: Callee, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> ResultCall[Any]:
    """Do as ``make_call``; what it gives back waits for the function's result."""
    return ResultCall(_send(fn, args, kwargs))


def _send(fn: Callee, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Delivery:
    args, kwargs = bind(fn.fn, args, kwargs)
    try:
        stored, hashed = encode_arguments(args, kwargs)
    except ArgumentError as misfit:
        raise by_name(fn.fn, misfit) from None
    lane = lane_for(fn.file)
    desk = sender()
    if desk.is_full:
        desk.wait_for_room()
    called_us = lane.now_us()
    name, options = fn.name, fn.call_options
    scope = scope_here()
    if scope is not None:
        id, call_hash = scope.child(name, hashed, options.key)
        call = Enqueue(id, name, stored, called_us, parent=scope.id, call_hash=call_hash, trace=scope.trace)
    else:
        call = Enqueue(fresh_id() if options.key is None else keyed_id(name, options.key), name, stored, called_us)
    if options is not NO_OPTIONS:
        _apply(options, call)
    delivery = Delivery(call, lane, scope)
    if scope is not None:
        scope.pending.add(delivery)
    if is_traced():
        trace_call(delivery)
    desk.put(delivery)
    if running_loop() is None and may_wait_here():
        delivery.wait(LONGEST_WAIT_SECONDS)
        if (error := delivery.hear()) is not None:
            raise error
    return delivery


def _apply(options: CallOptions, call: Enqueue) -> None:
    call.key = options.key
    call.scheduled_us = _moment_us(options.delay, call.called_us)
    call.discard_us = _moment_us(options.discard_after, call.called_us)
    call.metadata = dict(options.metadata) or None


def _moment_us(when: timedelta | datetime | None, called_us: int) -> int | None:
    if isinstance(when, timedelta):
        return called_us + when // _MICROSECOND
    return None if when is None else to_microseconds(when)


def _progress(delivery: Delivery) -> str:
    if delivery.outcome is None:
        return "on its way; await it directly"
    error = delivery.fresh_error()
    return "stored; await it directly" if error is None else f"not stored: {error.problem}"
