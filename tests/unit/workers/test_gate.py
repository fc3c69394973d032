"""Attempts are held until the commit that starts them is on disk, whichever of the two is told first."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence

import pytest

from defer_cli.link.frames import Start, StartItem
from defer_cli.workers.gate import MOST_HELD, Gate, Gates, Held

DEADLINE_SECONDS = 10


class Worker:
    """What holds attempts, and the runner's end of its gate."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.begins = asyncio.Event()
        self.gate, self.descriptor = Gate.make()
        self.early = 0
        self.held = Held(asyncio.get_running_loop(), self.descriptor, self._begin, self._note_early)

    def _begin(self, items: Sequence[StartItem]) -> None:
        self.begun += [item.seq for item in items]
        self.begins.set()

    def _note_early(self) -> None:
        self.early += 1

    def take(self, *seqs: int, commit: int = 0) -> None:
        self.held.take(Start([StartItem(seq, f"id{seq}", 1, 0, None, 0) for seq in seqs], commit))

    async def until_begun(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(self.begun) < count:
                self.begins.clear()
                await self.begins.wait()


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    made = Worker()
    yield made
    made.gate.close()
    asyncio.get_running_loop().remove_reader(made.descriptor)
    os.close(made.descriptor)


async def test_what_waits_for_no_commit_begins_at_once(worker: Worker) -> None:
    worker.take(1, 2)

    assert worker.begun == [1, 2]


async def test_what_waits_for_a_commit_begins_when_that_is_on_disk(worker: Worker) -> None:
    worker.take(1, commit=7)
    held = list(worker.begun)
    worker.gate.open(7)
    await worker.until_begun(1)

    assert (held, worker.begun) == ([], [1])


async def test_what_comes_after_its_commit_was_told_begins_at_once(worker: Worker) -> None:
    worker.gate.open(7)
    worker.held.look()
    worker.take(1, commit=7)
    worker.take(2, commit=7)  # a commit may need several frames

    assert worker.begun == [1, 2]


async def test_a_number_that_comes_before_what_waits_for_it_is_told(worker: Worker) -> None:
    worker.take(1, commit=7)
    worker.gate.open(7)
    worker.held.look()
    in_order = worker.early
    worker.gate.open(8)
    worker.gate.open(9)
    worker.held.look()

    assert (in_order, worker.early) == (0, 1)


async def test_several_frames_of_a_commit_wait_for_it_together(worker: Worker) -> None:
    worker.take(1, commit=7)
    worker.take(2, commit=7)
    worker.gate.open(7)
    worker.held.look()

    assert worker.begun == [1, 2]


async def test_a_commit_that_failed_is_not_made_good_by_a_later_one(worker: Worker) -> None:
    worker.take(1, commit=7)
    worker.take(2, commit=8)
    worker.gate.open(8)
    worker.held.look()
    early = list(worker.begun)
    worker.held.forget(7)
    worker.take(3, commit=9)
    worker.gate.open(9)
    worker.held.look()

    assert (early, worker.begun) == ([2], [2, 3])


async def test_looking_without_news_does_nothing(worker: Worker) -> None:
    worker.take(1, commit=7)
    worker.held.look()

    assert worker.begun == []


async def test_a_gate_that_is_closed_writes_to_no_other_file() -> None:
    gate, descriptor = Gate.make()
    os.close(descriptor)
    gate.open(1)  # the worker has gone
    gate.close()
    ours, theirs = os.pipe2(os.O_NONBLOCK)
    gate.open(2)

    with pytest.raises(BlockingIOError):  # one of the two has the number that the gate had
        os.read(ours, 8)
    os.close(ours)
    os.close(theirs)


async def test_a_runner_that_has_gone_is_looked_at_no_more() -> None:
    worker = Worker()
    worker.gate.close()
    worker.held.look()

    assert asyncio.get_running_loop().remove_reader(worker.descriptor) is False
    os.close(worker.descriptor)


async def test_a_commit_opens_the_gates_that_wait_for_it_and_no_others(worker: Worker) -> None:
    gates = Gates()
    worker.take(1, commit=1)
    worker.take(2, commit=2)
    assert gates.hold(1, [worker.gate])
    assert gates.hold(2, [worker.gate])
    gates.open(1)
    worker.held.look()

    assert worker.begun == [1]


async def test_who_comes_after_the_commit_need_not_hold_anything(worker: Worker) -> None:
    gates = Gates()
    gates.open(5)

    assert not gates.hold(5, [worker.gate])


async def test_the_gates_of_a_failed_commit_stay_closed(worker: Worker) -> None:
    gates = Gates()
    worker.take(1, commit=1)
    gates.hold(1, [worker.gate])
    gates.forget(1)
    gates.open(2)
    worker.held.look()

    assert worker.begun == []


async def test_every_number_has_room_while_no_more_are_held_than_may_be(worker: Worker) -> None:
    for commit in range(1, MOST_HELD + 1):
        worker.take(commit, commit=commit)
        worker.gate.open(commit)
    await worker.until_begun(MOST_HELD)

    assert worker.begun == list(range(1, MOST_HELD + 1))
