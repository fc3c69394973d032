"""Requests of callers, from a socket or a worker's pipe: what each frame asks for and how it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from defer_cli.changes import CHANGES, Changes
from defer_cli.domain.enqueue import Refused, Stored
from defer_cli.domain.errors import CallRefused, ExecutionNotFound
from defer_cli.engine.dispatcher import Dispatcher
from defer_cli.engine.waiting import Waiter
from defer_cli.intake import Intake
from defer_cli.link.frames import Answer, Ask, Enqueued, Enqueues, Failure, Unwait, Wait
from defer_cli.reports import Reports
from defer_cli.store.contract import Store
from defer_cli.store.writer import MOST_CALLS

Send = Callable[[Struct], None]


class Caller(Protocol):
    """The way back to whoever asked."""

    def send(self, message: Struct) -> None:
        """Send a frame; the loop calls."""

    def send_from_thread(self, message: Struct) -> None:
        """Send a frame; any thread calls."""


async def _nothing_left() -> None:
    """There is no inbox."""


async def _nothing_paused() -> None:
    """There are no crons."""


class Requests:
    """Answers requests. ``take_in`` imports what waits in the inbox: an id that is not known may be there.

    ``heed_pauses`` is called when crons were paused or resumed, before that is answered.
    """

    def __init__(
        self,
        intake: Intake,
        dispatcher: Dispatcher,
        reports: Reports,
        *,
        take_in: Callable[[], Awaitable[None]] = _nothing_left,
        heed_pauses: Callable[[], Awaitable[None]] = _nothing_paused,
    ) -> None:
        self._intake = intake
        self._dispatcher = dispatcher
        self._reports = reports
        self._take_in = take_in
        self._heed_pauses = heed_pauses
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, frame: Any, caller: Caller) -> bool:
        """Begin to answer ``frame``; False when it is no request."""
        kind, send = type(frame), caller.send
        if kind is Enqueues:
            self._enqueue(frame, caller)
        elif kind is Wait:
            self._wait(frame, caller)
        elif kind is Unwait:
            self._dispatcher.waiting.cut(caller, frame.number)
        elif kind is Ask:
            self._begin(self._ask(frame, send))
        else:
            return False
        return True

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _enqueue(self, frame: Enqueues, caller: Caller) -> None:
        number, send = frame.number, caller.send_from_thread
        if len(frame.calls) > MOST_CALLS:
            send(Failure.of(number, CallRefused(f"{len(frame.calls):,} calls in one frame, at most {MOST_CALLS:,}")))
            return

        def on_done(results: list[Stored | Refused] | None, error: BaseException | None) -> None:
            if results is None:
                send(Failure.of(number, error or CallRefused("nothing was stored")))
            else:
                send(_enqueued(number, results))

        self._intake.enqueue(frame.calls, on_done)

    def _wait(self, frame: Wait, caller: Caller) -> None:
        waiter = self._dispatcher.waiting.add(caller, frame.number, frame.id, seq=frame.waiter_seq)
        self._look(waiter, frame.id)

    def _look(self, waiter: Waiter, id: str, *, is_last: bool = False) -> None:
        """See whether what is waited for has ended already, or can end at all."""
        dispatcher = self._dispatcher
        waiting = dispatcher.waiting
        looked = dispatcher.writer.submit(lambda store: (store.results([id]), store.place(id)))

        def on_looked(done: asyncio.Future[Any]) -> None:
            if done.cancelled() or waiter.is_over:
                return
            if (error := done.exception()) is not None:
                waiting.refuse([waiter], lambda waiter: error)
                return
            results, place = done.result()
            if id in results:
                waiting.ended(id, *results[id])
            elif place is None and not is_last:
                self._begin(self._look_again(waiter, id))
            elif place is None:
                waiting.refuse([waiter], lambda waiter: ExecutionNotFound(f"no execution has the id {id!r}"))
            else:
                dispatcher.standstill.found(waiter, place[0])

        looked.add_done_callback(on_looked)

    async def _look_again(self, waiter: Waiter, id: str) -> None:
        await self._take_in()
        self._look(waiter, id, is_last=True)

    async def _ask(self, frame: Ask, send: Send) -> None:
        try:
            send(Answer(frame.number, await self.answer(frame.name, frame.parameters)))
        except Exception as error:  # also an answer that is too large for a frame
            send(Failure.of(frame.number, error))

    async def answer(self, name: str, parameters: Mapping[str, Any]) -> Any:
        """Answer a question or make a change; both are plain data. Raises ``DeferError``."""
        if name in CHANGES:
            return await self._change(name, parameters)
        if name == "function":
            return self._function(**parameters)
        try:
            return await self._reports.ask(name, parameters)
        except ExecutionNotFound:  # its call may be on its way to the disk, or in the inbox
            await self._take_in()
            await self._dispatcher.writer.submit(lambda store: None)
            return await self._reports.ask(name, parameters)

    def _function(self, name: str) -> Any:
        """Return a function as the workers have it: of a file that broke since, its last good version."""
        return msgspec.to_builtins(self._dispatcher.pool.specs.get(name))

    async def _change(self, name: str, parameters: Mapping[str, Any]) -> Any:
        changes: Changes | None = None
        await self._take_in()

        def make(store: Store) -> Any:
            nonlocal changes
            changes = Changes(store)
            return changes.make(name, parameters)

        told = await self._dispatcher.writer.submit(make)
        assert changes is not None
        self._dispatcher.left_queue(changes.cancelled)
        self._dispatcher.abort(changes.aborting)
        if changes.has_paused:
            await self._heed_pauses()
        return told


def _enqueued(number: int, results: list[Stored | Refused]) -> Enqueued:
    """Return the answer to calls: most are new, and of those the caller knows everything but the moment."""
    now_us = 0
    entries: list[Stored | Refused | None] = []
    for result in results:
        if type(result) is Stored and result.is_new:
            now_us = result.updated_us
            entries.append(None)
        else:
            entries.append(result)
    return Enqueued(number, now_us, entries)
