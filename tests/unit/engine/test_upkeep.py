"""What the runner does once a second, and when there is a reason to do it earlier."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from defer_cli.domain.states import State
from defer_cli.engine.dispatcher import Dispatcher
from defer_cli.engine.events import Listener
from defer_cli.engine.upkeep import Upkeep
from defer_cli.store.contract import Ending, Store
from defer_cli.store.writer import Writer

SECOND = 1_000_000


class FakeStore:
    """Has so many overdue calls, one that is to be discarded later, and counts that are too old for a chart."""

    def __init__(self, overdue: int, next_us: int | None = None, *, old: int = 0) -> None:
        self.overdue = overdue
        self.next_us = next_us
        self.old = old
        self.forgotten: list[int] = []

    def discard_due(self, *, limit: int) -> list[Ending]:
        taken = min(limit, self.overdue)
        self.overdue -= taken
        return [Ending(seq, f"id{seq}", "compute", State.DISCARDED) for seq in range(taken)]

    def settle_blocks(self, *, limit: int) -> int:
        return 0

    def forget_history(self, *, limit: int) -> int:
        taken = min(limit, self.old)
        self.old -= taken
        self.forgotten.append(taken)
        return taken

    def next_discard_us(self) -> int | None:
        return self.next_us


class FakeParts:
    """A writer that answers at once, and a dispatcher that notes what has left the queue."""

    def __init__(self, store: FakeStore) -> None:
        self.store = store
        self.turns: list[int] = []

    def submit(self, work: Callable[[Store], Any]) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()
        future.set_result(work(cast("Store", self.store)))
        return future

    def left_queue(self, endings: list[Ending]) -> None:
        self.turns.append(len(endings))


def upkeep(store: FakeStore) -> tuple[Upkeep, FakeParts]:
    parts = FakeParts(store)
    return Upkeep(cast("Writer", parts), cast("Dispatcher", parts), cast("Listener", None)), parts


async def test_all_that_is_overdue_is_discarded_in_small_turns() -> None:
    kept, parts = upkeep(FakeStore(2_500))
    await kept.run()

    assert parts.turns == [1_000, 1_000, 500]


async def test_the_alarm_learns_when_the_next_call_is_to_be_discarded() -> None:
    kept, _ = upkeep(FakeStore(0, next_us=7 * SECOND + 1))
    before = kept.next_us()
    await kept.run()

    assert before is None
    assert kept.next_us() == 7 * SECOND + 50_000


async def test_a_moment_that_lies_on_a_step_is_kept() -> None:
    kept, _ = upkeep(FakeStore(0, next_us=7 * SECOND))
    await kept.run()

    assert kept.next_us() == 7 * SECOND


async def test_old_counts_are_forgotten_a_step_a_second_and_then_once_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    store = FakeStore(0, old=1_500)
    kept, _ = upkeep(store)
    now = 100.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    for _ in range(4):
        await kept.run()
    within_the_hour = list(store.forgotten)
    now += 3_600
    await kept.run()

    assert within_the_hour == [1_000, 500]
    assert store.forgotten == [1_000, 500, 0]
