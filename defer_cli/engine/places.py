"""The places of isolated executions: who goes on after a wait has one before anything that could be claimed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from defer_cli.store.contract import Store
from defer_cli.store.writer import Writer
from defer_cli.workers.process import Assigned

Answer = Callable[[], None]


class _Held:
    """An answer that waits for a place: reserved; sure, when no claim is on its way to it; then on its way out."""

    __slots__ = ("answer", "is_going", "is_sure")

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.is_sure = False
        self.is_going = False


class Places:
    """Counts the places, and holds the answers of attempts that need one to go on.

    What runs alone may kill its runner, so an attempt that goes on beside another would have that one charged. A place
    is reserved first; a claim that was on its way may still have it, and is known once a request has come back from the
    writer. That an attempt goes on is on disk before it does: it tells the next runner who was the last.

    ``on_crowded`` is told of an attempt that goes on without being asked when there is no place for it.
    """

    def __init__(self) -> None:
        self._free = 0  # less what is reserved
        self._held: dict[Assigned, _Held] = {}
        self._on_the_way = 0
        self._writer: Writer
        self.on_crowded: Callable[[Assigned], None] = lambda assigned: None

    def attach(self, writer: Writer) -> None:
        """Learn who claims."""
        self._writer = writer

    @property
    def is_settling(self) -> bool:
        """Whether it is still to be seen who has a place."""
        return self._on_the_way > 0

    @property
    def is_crowded(self) -> bool:
        """Whether more run than there are places."""
        return self._free + self._waiting < 0

    def add(self, places: int) -> None:
        """So many places are free, or there are so many more."""
        self._give(places)
        self._let_go_on()

    def claimed(self, places: int) -> None:
        """So many were taken by a claim."""
        self._free -= places

    def freed(self) -> None:
        """What was in a place has ended: who waited for it hears of that before the place can be claimed."""
        self._on_the_way += 1
        asyncio.get_running_loop().call_soon(self._free_when_written)  # the writer has the outcome by then

    def resume(self, assigned: Assigned, answer: Answer) -> None:
        """An attempt waits for nothing any more: answer as soon as there is a place for it."""
        held = self._held[assigned] = _Held(answer)
        self._give(-1)
        self._on_the_way += 1
        self._ask(lambda store: None, partial(self._is_sure, held))

    def resume_now(self, assigned: Assigned) -> Answer | None:
        """An attempt goes on by itself: return the answer that was held."""
        held = self._held.pop(assigned, None)
        if held is None:
            self._give(-1)
        occupy(assigned)
        self._on_the_way += 1
        self._ask(_note(assigned), lambda: None)
        if self.is_crowded:
            for other in self._held.values():
                other.is_going = False
            if not assigned.is_ending:
                self.on_crowded(assigned)
        return None if held is None else held.answer

    def stop_resuming(self, assigned: Assigned) -> Answer | None:
        """An attempt has ended, or waits again: it needs no place; return the answer that was held."""
        held = self._held.pop(assigned, None)
        if held is None:
            return None
        self.add(1)
        return held.answer

    @property
    def _waiting(self) -> int:
        return sum(not held.is_going for held in self._held.values())

    def _give(self, places: int) -> None:
        self._free += places
        self._writer.grant_isolated(places)

    def _free_when_written(self) -> None:
        self._ask(lambda store: None, lambda: self.add(1))

    def _is_sure(self, held: _Held) -> None:
        held.is_sure = True
        self._let_go_on()

    def _let_go_on(self) -> None:
        waiting = [(assigned, held) for assigned, held in self._held.items() if not held.is_going]
        places = max(len(waiting) + min(self._free, 0), 0)
        for assigned, held in waiting[:places]:
            if held.is_sure:
                held.is_going = True
                self._on_the_way += 1
                self._ask(_note(assigned), partial(self._go_on, assigned, held))

    def _go_on(self, assigned: Assigned, held: _Held) -> None:
        if held.is_going and self._held.get(assigned) is held:
            del self._held[assigned]
            occupy(assigned)
            held.answer()

    def _ask(self, work: Callable[[Store], Any], then: Callable[[], None]) -> None:
        """Call ``then`` when the writer has done ``work``, and told of the claims before; also when it was refused."""

        def on_done(done: asyncio.Future[Any]) -> None:
            done.exception()
            self._on_the_way -= 1
            then()

        self._writer.submit(work).add_done_callback(on_done)


def occupy(assigned: Assigned) -> None:
    """An attempt waits no more: it has a place in its worker again."""
    assigned.is_waiting = False
    assigned.process.waiting -= 1


def _note(assigned: Assigned) -> Callable[[Store], bool]:
    seq, attempt = assigned.running.seq, assigned.running.attempt
    return lambda store: store.go_on(seq=seq, attempt=attempt)
