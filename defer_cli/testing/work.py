"""One drain, seen from the runner: what is due runs, then time moves on to what retries and awaited calls wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from defer_cli.domain.errors import DeferError
from defer_cli.domain.execution import Execution, to_microseconds
from defer_cli.domain.paging import Filters
from defer_cli.domain.settle import Reason
from defer_cli.domain.states import State
from defer_cli.engine.dispatcher import Dispatcher
from defer_cli.reports import Reports
from defer_cli.store.contract import Reader
from defer_cli.store.writer import Writer
from defer_cli.testing.bench import Bench, BenchWorker
from defer_cli.testing.clock import Clock
from defer_cli.testing.drained import Tally
from defer_cli.testing.functions import Functions
from defer_cli.workers.process import WorkerProcess

_GRACE_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.02
"""Changes are told, but not that the writer is done with something that nobody waits for."""
_A_TURN = 1_000
_A_PAGE = 500


class Work:
    """Runs what is queued on one bench until nothing is left that could run before the test moves the clock."""

    def __init__(
        self, bench: Bench, reply: Callable[[Struct], None], dispatcher: Dispatcher, functions: Functions, clock: Clock
    ) -> None:
        self._dispatcher = dispatcher
        self._writer: Writer = dispatcher.writer
        self._functions = functions
        self._clock = clock
        self._is_cut = False
        self._changed = asyncio.Event()
        self._problem: DeferError | None = None
        self.worker = BenchWorker(bench, reply=reply, on_exit=self._killed)
        self.tally = Tally()

    def look(self) -> None:
        """See what has changed."""
        self._changed.set()

    def cut(self) -> None:
        """Interrupt what runs: it goes back into the queue, and the work is over."""
        self._is_cut = True
        self._changed.set()

    async def run(self, reports: Reports) -> Tally:
        """Work until nothing is left; raise ``DeferError`` when a function could not be made to end."""
        self._functions.crew.workers.append(self.worker)
        self._dispatcher.worker_ready(self.worker)
        await self._until_done(reports)
        if self._is_cut and self._problem is None:
            await self._interrupt()
        if self.worker in self._functions.crew.workers:
            self._functions.crew.workers.remove(self.worker)
        if self._problem is not None:
            raise self._problem
        return self.tally

    async def _until_done(self, reports: Reports) -> None:
        while not self._is_cut and self._problem is None:
            self._changed.clear()
            self._dispatcher.left_queue(await self._writer.submit(lambda store: store.discard_due(limit=_A_TURN)))
            # The transaction of that has claimed what is due.
            if self._changed.is_set() or not self._dispatcher.only_waits:
                await self._until_changed()
                continue
            queued = await reports.read(_queued)
            moment = self._next_moment(queued)
            if self._changed.is_set():
                continue
            if moment is not None:
                self._clock.move_to_us(to_microseconds(moment))
            elif not self._dispatcher.is_idle:
                await self._until_changed()
            elif await self._retired():
                self.tally.waiting = len(queued)
                return

    def _next_moment(self, queued: list[Execution]) -> datetime | None:
        """Return when the next thing happens on the way to a retry or to a call that somebody waits for."""
        now, is_awaited = self._clock.now, self._dispatcher.waiting.is_awaited
        later = [one for one in queued if one.scheduled_at > now]
        wanted = [one.scheduled_at for one in later if one.attempt > 0 or is_awaited(one.id)]
        if not wanted:
            return None
        expiring = [one.discard_after for one in queued if one.attempt == 0 and one.discard_after is not None]
        return min([one.scheduled_at for one in later] + [moment for moment in expiring if moment > now])

    async def _retired(self) -> bool:
        """Take the slots back; return False when a call has come and been claimed meanwhile."""
        self._dispatcher.worker_retired(self.worker)
        await self._settled()
        if self._dispatcher.is_idle and not self._changed.is_set():
            return True
        self._dispatcher.worker_ready(self.worker)
        return False

    async def _interrupt(self) -> None:
        worker = self.worker
        self._dispatcher.worker_retired(worker)
        worker.is_retiring = True
        for assigned in worker.assigned.values():
            if not assigned.is_ending:
                assigned.reason = Reason.STOP
        worker.cancel_all()
        try:
            async with asyncio.timeout(_GRACE_SECONDS):
                while worker.assigned:
                    self._changed.clear()
                    await self._until_changed()
        except TimeoutError:
            worker.condemn("was told to end")
        await self._settled()

    def _killed(self, worker: WorkerProcess) -> None:
        """Something did not end when it was asked to: a real worker's process would be gone now."""
        names = sorted({one.running.function for one in worker.assigned.values() if one.is_ending})
        self._problem = DeferError(
            f"{', '.join(names)} did not end within {_GRACE_SECONDS:g} s after being cancelled",
            mend="let CancelledError through: a runner kills the process, with all that runs beside it",
        )
        self._functions.crew.workers.remove(self.worker)
        self._dispatcher.worker_died(worker)
        self._changed.set()

    async def _until_changed(self) -> None:
        try:
            async with asyncio.timeout(_LOOK_AGAIN_SECONDS):
                await self._changed.wait()
        except TimeoutError:
            pass

    async def _settled(self) -> None:
        """Return when all that was asked for so far is written."""
        await self._writer.submit(lambda store: None)


def _queued(reader: Reader) -> list[Execution]:
    """Return everything that waits in the queue."""
    waits = Filters(states=[State.CREATED])
    found: list[Execution] = []
    after: int | None = None
    while True:
        page = reader.find(waits, limit=_A_PAGE, after=after)
        found += [one for _, one in page.items]
        if page.stopped_at is not None:
            after = page.stopped_at
        elif len(page.items) == _A_PAGE:
            after = page.items[-1][0]
        else:
            return found
