"""Waits for the ends of many executions at once, for callers that ask and listen in one request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from defer_cli.domain.errors import ExecutionNotFound
from defer_cli.engine.dispatcher import Dispatcher
from defer_cli.link.frames import Ended, Failure
from defer_cli.store.contract import Store

_MORE_SECONDS = 0.01
"""What ends together is told together."""

Looked = tuple[dict[str, tuple[str, bytes | None, bytes | None]], set[str]]


class _Poll:
    """One request that waits; what it is answered with."""

    def __init__(self) -> None:
        self.told: list[Ended | Failure] = []
        self.has_news = asyncio.Event()

    def send(self, message: Struct) -> None:
        """Take the answer to one of its waits, on the loop."""
        assert isinstance(message, Ended | Failure)
        self.told.append(message)
        self.has_news.set()


class Polls:
    """Tells who asks what has ended; ``take_in`` imports what waits in the inbox, where an unknown id may be."""

    def __init__(self, dispatcher: Dispatcher, *, take_in: Callable[[], Awaitable[None]]) -> None:
        self._dispatcher = dispatcher
        self._take_in = take_in
        self._open: set[_Poll] = set()
        self._is_over = False

    async def ends(self, ids: Sequence[str], seconds: float) -> list[Ended | Failure] | None:
        """Return the ends of those that have ended, after ``seconds`` at the latest; numbers are places in ``ids``.

        None: the runner is about to go, and nothing has ended.
        """
        waiting, poll = self._dispatcher.waiting, _Poll()
        waiters = {id: waiting.add(poll, number, id, seq=0) for number, id in enumerate(ids)}
        self._open.add(poll)
        try:
            unknown = await self._look(ids)
            if unknown:
                await self._take_in()
                unknown = await self._look(list(unknown))
            lost = [waiters[id] for id in unknown if not waiters[id].is_over]
            waiting.refuse(lost, lambda waiter: ExecutionNotFound(f"no execution has the id {waiter.id!r}"))
            if not poll.told and not self._is_over and seconds:
                await self._wait(poll, seconds)
        finally:
            waiting.drop(poll)
            self._open.discard(poll)
        return None if self._is_over and not poll.told else poll.told

    def close(self) -> None:
        """Answer all who wait, and who come later, with what is known now."""
        self._is_over = True
        for poll in self._open:
            poll.has_news.set()

    async def _look(self, ids: Sequence[str]) -> set[str]:
        """Tell what has ended already; return what nobody knows."""

        def look(store: Store) -> Looked:
            ended = store.results(ids)
            return ended, {id for id in ids if id not in ended and store.place(id) is None}

        ended, unknown = await self._dispatcher.writer.submit(look)
        for id, end in ended.items():
            self._dispatcher.waiting.ended(id, *end)
        return unknown

    async def _wait(self, poll: _Poll, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await poll.has_news.wait()
        except TimeoutError:
            return
        await asyncio.sleep(0 if self._is_over else _MORE_SECONDS)
