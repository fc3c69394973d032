"""What is claimed begins with a worker ahead of its commit, and never when that fails."""

from __future__ import annotations

from defer_cli.domain.settle import Isolation
from defer_cli.link.frames import Start
from tests.unit.engine.harness import SLOTS, Stage, returned, running, until


async def test_what_is_announced_is_held_by_its_worker_until_the_commit() -> None:
    stage = Stage(workers=1)
    (worker,) = stage.workers
    stage.announce(7, running(1), running(2))
    held, told = worker.held, list(worker.told)
    stage.dispatcher.may_begin(7)

    assert (held, told) == ([(7, 1), (7, 2)], [])
    assert worker.told == [7]


async def test_what_was_begun_ahead_is_not_begun_again() -> None:
    stage = Stage(workers=2)
    claim = stage.announce(7, running(1))
    stage.dispatcher.may_begin(7)
    stage.dispatcher.claimed(claim)

    assert [item.seq for worker in stage.workers for item in worker.started] == [1]


async def test_only_workers_that_hold_something_are_told_of_its_commit() -> None:
    stage = Stage(workers=2)
    stage.announce(7, running(1))
    stage.dispatcher.may_begin(7)

    assert [worker.told for worker in stage.workers] == [[7], []]


async def test_who_hears_of_a_claim_after_its_commit_holds_nothing() -> None:
    stage = Stage(workers=1)
    (worker,) = stage.workers
    stage.dispatcher.may_begin(7)
    stage.announce(7, running(1))

    assert (worker.held, worker.told) == ([], [])
    assert [item.seq for item in worker.started] == [1]


async def test_a_later_commit_does_not_stand_for_one_that_failed() -> None:
    stage = Stage(workers=1)
    (worker,) = stage.workers
    stage.dispatcher.may_begin(8)
    claim = stage.announce(7, running(1))
    stage.dispatcher.undone(7, claim)
    stage.announce(8, running(1))

    assert (worker.held, worker.told, worker.retracted) == ([(7, 1)], [], [7])
    assert [frame.commit for frame in worker.sent if isinstance(frame, Start)] == [7, 0]


async def test_what_has_run_before_begins_after_the_commit_with_its_counts() -> None:
    stage = Stage(workers=1)
    (worker,) = stage.workers
    claim = stage.announce(7, running(1), running(2, attempt=2))
    early = [item.seq for item in worker.started]
    stage.dispatcher.may_begin(7)
    stage.dispatcher.claimed(claim)
    await until(lambda: len(worker.started) == 2)

    assert early == [1]
    assert [item.seq for item in worker.started] == [1, 2]


async def test_what_is_to_be_run_isolated_begins_after_the_commit() -> None:
    stage = Stage(workers=1)
    claim = stage.announce(7, running(1, isolation=Isolation.SUSPECT))
    early = list(stage.pool.alone)
    stage.dispatcher.may_begin(7)
    stage.dispatcher.claimed(claim)
    await until(lambda: stage.pool.alone)

    assert early == []
    assert stage.workers[0].started == []


async def test_a_commit_that_fails_takes_back_what_was_begun_ahead() -> None:
    stage = Stage(workers=1)
    (worker,) = stage.workers
    claim = stage.announce(7, running(1), running(2, attempt=2), running(3, isolation=Isolation.SUSPECT))
    places = stage.writer.granted_isolated
    stage.dispatcher.undone(7, claim)
    stage.dispatcher.may_begin(8)

    assert worker.retracted == [7]
    assert worker.told == []
    assert worker.assigned == {}
    assert stage.dispatcher.is_idle
    assert stage.writer.granted == SLOTS
    assert stage.writer.granted_isolated == places + 1


async def test_a_commit_that_fails_after_its_worker_died_frees_no_slot_twice() -> None:
    stage = Stage(workers=2)
    claim = stage.announce(7, running(1))
    stage.workers[0].die()
    stage.dispatcher.undone(7, claim)

    assert stage.writer.granted == SLOTS


async def test_an_outcome_may_come_before_the_loop_hears_of_the_commit() -> None:
    stage = Stage(workers=1)
    (worker,) = stage.workers
    claim = stage.announce(7, running(1))
    stage.dispatcher.may_begin(7)
    stage.report(worker, returned(1))
    stage.dispatcher.claimed(claim)

    assert stage.moves() == [("id1", "succeed")]
    assert stage.writer.granted == SLOTS
    assert [item.seq for item in worker.started] == [1]
