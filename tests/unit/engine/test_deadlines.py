"""What runs too long is found in order, by one timer a span."""

from __future__ import annotations

import asyncio

from defer_cli.engine.deadlines import Deadlines
from defer_cli.workers.process import Assigned
from tests.unit.engine.harness import FakeWorker, running, spec


class Watch:
    def __init__(self, *, grace_seconds: float = 0.01) -> None:
        self.over: list[int] = []
        self.stubborn: list[int] = []
        self.worker = FakeWorker(1, lambda worker: None)
        self.left: dict[int, list[float]] = {}
        """What is left to an attempt that is over its time, each time that is asked for."""
        self.deadlines = Deadlines(self._over, self._stubborn, grace_seconds=grace_seconds, time_left=self._time_left)
        self._changed = asyncio.Event()

    def _over(self, assigned: Assigned) -> None:
        self.over.append(assigned.running.seq)
        self._changed.set()

    def _time_left(self, assigned: Assigned) -> float:
        left = self.left.get(assigned.running.seq)
        return left.pop(0) if left else 0.0

    def _stubborn(self, assigned: Assigned) -> None:
        self.stubborn.append(assigned.running.seq)
        self._changed.set()

    def add(self, seq: int, span: float) -> Assigned:
        deadline = asyncio.get_running_loop().time() + span
        assigned = Assigned(running(seq), spec(), self.worker, span=span, deadline=deadline)
        self.worker.assigned[seq] = assigned
        self.deadlines.add([assigned])
        return assigned

    def end(self, assigned: Assigned) -> None:
        self.deadlines.remove([assigned])
        del self.worker.assigned[assigned.running.seq]

    async def until(self, seqs: list[int], *, stubborn: bool = False) -> None:
        found = self.stubborn if stubborn else self.over
        async with asyncio.timeout(5):
            while found != seqs:
                self._changed.clear()
                await self._changed.wait()


async def test_an_attempt_over_its_span_is_found() -> None:
    watch = Watch()
    watch.add(1, 0.01)

    await watch.until([1])


async def test_an_attempt_that_ended_is_forgotten() -> None:
    watch = Watch()
    watch.end(watch.add(1, 0.01))
    watch.add(2, 0.01)

    await watch.until([2])


async def test_a_shorter_span_does_not_wait_for_a_longer_one() -> None:
    watch = Watch()
    watch.add(1, 60)
    watch.add(2, 0.01)

    await watch.until([2])


async def test_those_of_one_span_are_found_in_the_order_they_began() -> None:
    watch = Watch()
    for seq in range(1, 6):
        watch.add(seq, 0.01)

    await watch.until([1, 2, 3, 4, 5])


async def test_a_span_that_was_empty_is_watched_again() -> None:
    watch = Watch()
    watch.add(1, 0.01)
    await watch.until([1])
    watch.add(2, 0.01)

    await watch.until([1, 2])


async def test_many_attempts_share_a_timer() -> None:
    watch = Watch()
    for seq in range(1_000):
        watch.add(seq, 60)

    assert len(watch.deadlines._timers) == 1


async def test_what_does_not_end_in_its_grace_is_stubborn() -> None:
    watch = Watch()
    watch.add(1, 0.01)

    await watch.until([1], stubborn=True)


async def test_what_ends_in_its_grace_is_not_stubborn() -> None:
    watch = Watch(grace_seconds=0.02)
    polite = watch.add(1, 0.01)
    await watch.until([1])
    watch.end(polite)
    watch.add(2, 0.01)

    await watch.until([2], stubborn=True)


async def test_what_was_held_up_has_that_time_on_top() -> None:
    watch = Watch()
    watch.left[1] = [0.02, 0.01]
    watch.add(1, 0.01)
    watch.add(2, 0.015)

    await watch.until([2, 1])
    await watch.until([2, 1], stubborn=True)
    assert watch.left[1] == []


async def test_what_ends_in_the_time_it_has_on_top_is_forgotten() -> None:
    watch = Watch()
    watch.left[1] = [0.02]
    held_up = watch.add(1, 0.01)
    watch.add(2, 0.01)
    await watch.until([2])
    watch.end(held_up)
    watch.add(3, 0.04)

    await watch.until([2, 3])
