"""Attempts are held until the commit that starts them stands, whichever of the two the loop hears of first."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec import Struct

from defer_cli.link.frames import Stands, Start, StartItem
from defer_cli.workers.holding import Held, Holders


class Worker:
    """What holds attempts, as the runner sees it and as it is."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.orders: list[Struct] = []
        self.held = Held(self._begin)

    def _begin(self, items: Sequence[StartItem]) -> None:
        self.begun += [item.seq for item in items]

    def take(self, *seqs: int, commit: int = 0) -> None:
        self.held.take(Start([StartItem(seq, f"id{seq}", 1, 0, None, 0) for seq in seqs], commit))

    def order(self, message: Struct) -> None:
        self.orders.append(message)


@pytest.fixture
def worker() -> Worker:
    return Worker()


def test_what_waits_for_no_commit_begins_at_once(worker: Worker) -> None:
    worker.take(1, 2)

    assert worker.begun == [1, 2]


def test_what_waits_for_a_commit_begins_when_that_stands(worker: Worker) -> None:
    worker.take(1, commit=7)
    held = list(worker.begun)
    worker.held.release(7)

    assert (held, worker.begun) == ([], [1])


def test_several_frames_of_a_commit_wait_for_it_together(worker: Worker) -> None:
    worker.take(1, commit=7)
    worker.take(2, commit=7)
    worker.held.release(7)

    assert worker.begun == [1, 2]


def test_a_commit_that_failed_is_not_made_good_by_a_later_one(worker: Worker) -> None:
    worker.take(1, commit=7)
    worker.take(2, commit=8)
    worker.held.release(8)
    early = list(worker.begun)
    worker.held.forget(7)
    worker.take(3, commit=9)
    worker.held.release(9)

    assert (early, worker.begun) == ([2], [2, 3])


def test_a_commit_is_told_to_those_that_wait_for_it_and_to_no_others(worker: Worker) -> None:
    holders, other = Holders(), Worker()
    holders.add(1, [worker])
    holders.add(2, [other])
    holders.release(1)

    assert (worker.orders, other.orders) == ([Stands(1)], [])


def test_who_comes_after_the_commit_need_not_hold_anything() -> None:
    holders = Holders()
    holders.release(5)

    assert (holders.stands(4), holders.stands(5), holders.stands(6)) == (False, True, False)


def test_a_commit_that_came_to_stand_in_between_is_told_at_once(worker: Worker) -> None:
    holders = Holders()
    was_there = holders.stands(5)
    holders.release(5)
    holders.add(5, [worker])

    assert (was_there, worker.orders) == (False, [Stands(5)])


def test_nobody_is_told_of_a_commit_that_failed(worker: Worker) -> None:
    holders = Holders()
    holders.add(1, [worker])
    holders.forget(1)
    holders.release(2)

    assert worker.orders == []


def test_nothing_is_kept_of_commits_that_the_loop_has_heard_of(worker: Worker) -> None:
    holders = Holders()
    for commit in range(1, 9, 2):
        holders.release(commit)
        holders.stands(commit)
        holders.add(commit + 1, [worker])
        holders.release(commit + 1)

    assert (holders._standing, holders._holders) == (set(), {})
