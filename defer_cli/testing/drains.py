"""Drains of a sandbox, one at a time: those the test asks for, and those begun because somebody waits for a result."""

from __future__ import annotations

import asyncio
import logging
import threading
from asyncio import AbstractEventLoop
from collections.abc import Mapping
from concurrent.futures import Future

from defer_cli.client.context import scope_here
from defer_cli.client.delivery import running_loop
from defer_cli.domain.errors import DeferError
from defer_cli.testing.drained import Tally
from defer_cli.testing.runner import SandboxRunner

_log = logging.getLogger("defer_cli")


class Drains:
    """Any loop, any thread; what runs, runs on the loop that the drain was asked for on."""

    def __init__(self, runner: SandboxRunner) -> None:
        self._runner = runner
        self._lock = threading.Lock()
        self._current: Future[None] | None = None
        self._caller: AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._threads: list[threading.Thread] = []
        self._is_closed = False

    def note_caller(self) -> None:
        """Remember where calls are made outside of functions: who waits for a result there lends that loop."""
        if scope_here() is None:
            self._caller = running_loop()

    async def drain(self) -> tuple[Tally, Mapping[str, BaseException]]:
        """Run what is queued on the running loop; return what came of it, and what executions raised last, by id."""
        if running_loop() is None:
            raise DeferError(
                "drain() runs functions on an event loop of asyncio, and none runs here",
                mend="use asyncio.run(sandbox.drain())",
            )
        if scope_here() is not None:
            raise DeferError(
                "drain() was called inside a background function", mend="wait for results with await_result"
            )
        while (other := self._begin()) is not None:
            await asyncio.shield(asyncio.wrap_future(other))
        try:
            return await self._work()
        finally:
            self._end()

    def begin_for_waiter(self) -> None:
        """Drain because somebody outside waits: on the loop where the last call was made, else on one of its own."""
        if self._is_closed:
            return
        loop = self._caller
        try:
            if loop is not None and loop.is_running():
                loop.call_soon_threadsafe(self._begin_on, loop)
                return
        except RuntimeError:  # it has closed
            pass
        thread = threading.Thread(target=lambda: asyncio.run(self._drain_quietly()), name="defer-drain", daemon=True)
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        """Interrupt what still runs, and begin nothing more; a loop of the test's own ends it itself."""
        self._is_closed = True
        self._runner.cut()
        for thread in self._threads:
            thread.join()

    def _begin_on(self, loop: AbstractEventLoop) -> None:
        task = loop.create_task(self._drain_quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain_quietly(self) -> None:
        try:
            await self.drain()
        except DeferError as error:
            _log.error("%s", error)

    def _begin(self) -> Future[None] | None:
        """Begin, or return what must end before."""
        with self._lock:
            if self._current is None:
                self._current = Future()
                return None
            return self._current

    def _end(self) -> None:
        with self._lock:
            over, self._current = self._current, None
        if over is not None:
            over.set_result(None)

    async def _work(self) -> tuple[Tally, Mapping[str, BaseException]]:
        bench = self._runner.bench()
        with bench.opened():
            working = asyncio.wrap_future(self._runner.begin(bench))
            try:
                tally = await asyncio.shield(working)
            except asyncio.CancelledError:
                self._runner.cut()
                await asyncio.wait([working])
                raise
        if bench.interrupt is not None:
            raise bench.interrupt
        return tally, bench.raised
