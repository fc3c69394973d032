"""Tells the service manager how the runner is: ready, alive, stopping, and in a line what it does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any

from defer_cli.domain.errors import StoreError
from defer_cli.domain.states import State
from defer_cli.engine.vitals import Vitals
from defer_cli.link.notify import ServiceManager
from defer_cli.reports import Reports
from defer_cli.store.contract import Reader, Store
from defer_cli.store.writer import Writer

_REFRESH_SECONDS = 10.0


class Supervised:
    """Does nothing where nobody supervises.

    A beat for the watchdog has gone through the loop and through the writer's thread, so it tells that both live. A
    store that refuses is no reason to be killed: the runner waits until it takes something again.
    """

    def __init__(
        self,
        manager: ServiceManager | None,
        writer: Writer,
        vitals: Vitals,
        reports: Reports,
        *,
        functions: Callable[[], Mapping[str, object]],
    ) -> None:
        self._manager = manager
        self._writer = writer
        self._vitals = vitals
        self._reports = reports
        self._functions = functions
        self._is_stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    def ready(self) -> None:
        """Tell that calls are taken, and which process is to be watched; from now on tell that it lives."""
        if self._manager is None:
            return
        whose = {"MAINPID": os.getpid()} if self._manager.knows_our_pid else {}
        self._manager.tell(READY=1, STATUS="ready", **whose)
        self._begin(self._show(self._manager))
        if self._manager.watchdog_seconds is not None:
            self._begin(self._beat(self._manager, self._manager.watchdog_seconds / 2))

    def stopping(self) -> None:
        """Tell that the runner is about to end, once what runs has."""
        self._is_stopping = True
        if self._manager is not None:
            self._manager.tell(STOPPING=1, STATUS="stopping")

    def end(self) -> None:
        """Tell nothing any more."""
        for task in self._tasks:
            task.cancel()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))

    async def _beat(self, manager: ServiceManager, pause_seconds: float) -> None:
        while True:
            with suppress(StoreError):
                await self._writer.submit(_nothing)
            manager.tell(WATCHDOG=1)
            await asyncio.sleep(pause_seconds)

    async def _show(self, manager: ServiceManager) -> None:
        shown = ""
        while True:
            line = await self._line()
            if line != shown:
                manager.tell(STATUS=line)
                shown = line
            await asyncio.sleep(_REFRESH_SECONDS)

    async def _line(self) -> str:
        refused = self._vitals.why_refused
        if refused is not None:
            return refused
        try:
            running, queued = await self._reports.read(_counts)
        except StoreError as error:
            return f"the store cannot be read: {error.problem}"
        doing = f"{running:,} running, {queued:,} queued"
        return f"stopping; {doing}" if self._is_stopping else f"functions: {len(self._functions()):,}; {doing}"


def _counts(reader: Reader) -> tuple[int, int]:
    running = queued = 0
    for (_, state), count in reader.counts().items():
        if state is State.CREATED:
            queued += count
        elif state in {State.STARTED, State.ABORTING}:
            running += count
    return running, queued


def _nothing(_: Store) -> None:
    """Be done."""
