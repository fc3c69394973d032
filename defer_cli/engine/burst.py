"""A burst: when it has nothing left to do, and what its exit code tells."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from defer_cli.engine.dispatcher import Dispatcher
from defer_cli.engine.inbox import InboxImport
from defer_cli.reports import Reports

_LOOK_AGAIN_SECONDS = 0.02


class Burst:
    """Looks at the whole runner; ``functions`` are the names of those that can run."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        inbox: InboxImport,
        reports: Reports,
        *,
        functions: Callable[[], Collection[str]],
        clock: Callable[[], int],
    ) -> None:
        self._dispatcher = dispatcher
        self._inbox = inbox
        self._reports = reports
        self._functions = functions
        self._clock = clock

    async def until_done(self) -> None:
        """Return when nothing is left that it could do."""
        dispatcher = self._dispatcher
        while True:
            await dispatcher.until_idle()
            await self._inbox.run()
            await dispatcher.writer.submit(lambda store: None)  # all that was asked for before is written now
            if dispatcher.is_idle and self._inbox.is_empty:
                due = await self._reports.read(
                    lambda reader: reader.count_due(now_us=self._clock(), functions=list(self._functions()))
                )
                if due == 0 and dispatcher.is_idle:
                    return
            dispatcher.writer.wake()
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)  # what is due may have to wait for a worker

    async def has_failed(self) -> bool:
        """Whether something of this burst failed, was refused, waits for a retry or knows no function."""
        left = await self._reports.read(
            lambda reader: (
                reader.count_waiting_retries(),
                reader.count_due(now_us=self._clock(), without=list(self._functions())),
            )
        )
        return bool(self._dispatcher.failures or self._inbox.refused or any(left))
