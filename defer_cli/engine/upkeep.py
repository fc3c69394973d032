"""What is done beside the crons: overdue calls are discarded, searches told what has ended, old counts forgotten."""

from __future__ import annotations

import asyncio
from itertools import count

from defer_cli.engine.dispatcher import Dispatcher
from defer_cli.engine.events import Listener, Note
from defer_cli.store.writer import Writer

_A_TURN = 1_000
_STEP_US = 50_000
"""Calls whose times lie closer together are discarded in one run."""
_BLOCKS_A_TURN, _BLOCK_TURNS = 16, 16
_FORGET_SECONDS = 3_600.0


class Upkeep:
    """Small steps through the writer, so that claims never wait long behind one."""

    def __init__(self, writer: Writer, dispatcher: Dispatcher, listener: Listener) -> None:
        self._writer = writer
        self._dispatcher = dispatcher
        self._listener = listener
        self._steps: set[asyncio.Task[None]] = set()
        self._next_discard_us: int | None = None
        self._forget_at = 0.0

    def next_us(self) -> int | None:
        """Return when the next call is to be discarded, as far as the last run could see; rounded up to a step."""
        due = self._next_discard_us
        return None if due is None else due + -due % _STEP_US

    async def run(self) -> None:
        """Discard what was never started by its ``discard_after``; tell searches what has ended, a part of it."""
        for turn in count(1):
            endings, narrowed, self._next_discard_us = await self._writer.submit(
                lambda store: (
                    store.discard_due(limit=_A_TURN),
                    store.settle_blocks(limit=_BLOCKS_A_TURN),
                    store.next_discard_us(),
                )
            )
            self._dispatcher.left_queue(endings)
            if len(endings) < _A_TURN and (not narrowed or turn >= _BLOCK_TURNS):
                break
        await self._forget()

    async def _forget(self) -> None:
        """Forget a step of what is too old for a chart, once an hour; what is left is for the next second."""
        now = asyncio.get_running_loop().time()
        if now < self._forget_at:
            return
        if await self._writer.submit(lambda store: store.forget_history(limit=_A_TURN)) < _A_TURN:
            self._forget_at = now + _FORGET_SECONDS

    def clock_was_set(self, seconds: float) -> None:
        """Move what was queued under a clock that ran ahead back to now, and claim what has become due."""
        if seconds < 0:
            task = asyncio.get_running_loop().create_task(self._step_back(-seconds))
            self._steps.add(task)
            task.add_done_callback(self._steps.discard)
        self._writer.wake()

    async def _step_back(self, seconds: float) -> None:
        moved = turn = await self._writer.submit(lambda store: store.step_back(limit=_A_TURN))
        while turn == _A_TURN:
            turn = await self._writer.submit(lambda store: store.step_back(limit=_A_TURN))
            moved += turn
        if moved:
            self._listener.tell(
                Note(
                    "warning", "the clock was set back, queued calls are due now", {"seconds": seconds, "count": moved}
                )
            )
