"""Everything that was claimed and has not ended: with a worker, or on its way to one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from defer_cli.domain.settle import Running
from defer_cli.workers.process import Assigned

_LOOK_AGAIN_SECONDS = 0.1


class Roster:
    """Each attempt is in one place: with a worker, in hand (its start waits for an answer), or homeless."""

    def __init__(self) -> None:
        self.assigned: dict[int, Assigned] = {}
        """Attempts in workers, by ``seq``."""
        self._in_hand: dict[int, Running] = {}
        self._homeless: dict[int, Running] = {}
        self._changed = asyncio.Event()

    def take_in_hand(self, attempts: Iterable[Running]) -> None:
        """Keep attempts until ``let_go``."""
        self._in_hand.update((running.seq, running) for running in attempts)

    def let_go(self, attempts: Sequence[Running]) -> list[Running]:
        """Return those of ``attempts`` that are still in hand: they go to workers now."""
        return [running for running in attempts if self._in_hand.pop(running.seq, None) is not None]

    def keep_homeless(self, running: Running) -> None:
        """Keep an attempt until there is a worker for it."""
        self._homeless[running.seq] = running

    def take_homeless(self) -> list[Running]:
        """Return the attempts without a worker, and keep them no longer."""
        homeless, self._homeless = self._homeless, {}
        return list(homeless.values())

    def take_out(self, seq: int) -> Running | None:
        """Return an attempt that has not reached a worker, and see to it that it never does; None: it is with one."""
        return self._in_hand.pop(seq, None) or self._homeless.pop(seq, None)

    @property
    def is_on_its_way(self) -> bool:
        """Whether anything is still to go to a worker."""
        return bool(self._in_hand or self._homeless)

    @property
    def is_empty(self) -> bool:
        """Whether nothing runs, and nothing is about to."""
        return not (self.assigned or self._in_hand or self._homeless)

    def look(self) -> None:
        """Wake who waits for something to have ended."""
        if self.is_empty:
            self._changed.set()

    async def until_empty(self) -> None:
        """Return once nothing runs."""
        while not self.is_empty:
            self._changed.clear()
            await self._changed.wait()

    async def until(self, is_so: Callable[[], bool], seconds: float, *, hurry: asyncio.Event) -> None:
        """Return once ``is_so``, after ``seconds``, or when there is a hurry."""
        deadline = asyncio.get_running_loop().time() + seconds
        hurried = asyncio.ensure_future(hurry.wait())
        try:
            while not is_so() and not hurry.is_set():
                self._changed.clear()
                changed = asyncio.ensure_future(self._changed.wait())
                left = deadline - asyncio.get_running_loop().time()
                await asyncio.wait(
                    {changed, hurried}, timeout=min(left, _LOOK_AGAIN_SECONDS), return_when=asyncio.FIRST_COMPLETED
                )
                changed.cancel()
                if left <= 0:
                    return
        finally:
            hurried.cancel()
