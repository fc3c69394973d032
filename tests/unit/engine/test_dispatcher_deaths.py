"""What becomes of attempts whose process ends, or that run too long."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from defer_cli.domain.settle import Isolation
from defer_cli.engine.events import WorkerDied
from tests.unit.engine.harness import SLOTS, Stage, returned, running, spec


async def test_what_ran_in_a_process_that_died_unasked_is_suspect_and_uncharged() -> None:
    stage = Stage(workers=1)
    worker = stage.workers[0]
    stage.claim(running(1), running(2))
    worker.die()

    assert [(m.name, m.charged, m.isolation) for m in stage.writer.moves] == [("interrupt", 0, Isolation.SUSPECT)] * 2
    assert stage.writer.granted == 0


async def test_a_death_is_told_with_how_many_ran() -> None:
    stage = Stage(workers=1)
    worker = stage.workers[0]
    stage.claim(running(1))
    worker.die("killed by signal 11")

    assert stage.listener.events == [WorkerDied(worker.pid, "killed by signal 11", 1)]


async def test_a_worker_that_never_joined_takes_no_slots_with_it() -> None:
    stage = Stage(workers=1)
    worker = stage.join()
    stage.writer.granted -= SLOTS
    worker.has_joined = False
    worker.die()

    assert stage.writer.granted == SLOTS
    assert stage.listener.events == []


async def test_work_without_a_worker_waits_for_the_next_one() -> None:
    stage = Stage(workers=1)
    stage.workers[0].die()
    stage.claim(running(1))
    new = stage.join()
    await asyncio.sleep(0.01)

    assert [item.seq for item in new.started] == [1]
    assert stage.writer.granted == SLOTS - 1


async def test_work_of_a_function_that_went_is_put_back() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1, function="gone"))

    assert stage.moves() == [("id1", "interrupt")]
    assert stage.writer.granted == SLOTS


async def test_a_retired_worker_takes_its_free_slots_and_leaves_after_its_last() -> None:
    stage = Stage(workers=1)
    worker = stage.workers[0]
    stage.claim(running(1))
    stage.dispatcher.worker_retired(worker)
    worker.is_retiring = True
    after_retiring = stage.writer.granted
    stage.report(worker, returned())

    assert (after_retiring, stage.writer.granted) == (0, 0)
    assert stage.pool.left == [worker]


# Too long.


async def test_an_attempt_over_its_time_is_cancelled_and_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(spec(max_duration=timedelta(milliseconds=10)), workers=1)
    worker = stage.workers[0]
    stage.claim(running(1))
    await asyncio.wait_for(worker.was_cancelled.wait(), 5)
    stage.report(worker, returned())
    (move,) = stage.writer.moves

    assert worker.cancelled == [1]
    assert (move.name, move.error and move.error.code) == ("retry", "ER0001")
    assert move.error is not None
    assert "max_duration of 10 ms" in move.error.message


async def test_a_stubborn_attempt_is_killed_and_its_neighbours_are_interrupted() -> None:
    stage = Stage(spec(max_duration=timedelta(milliseconds=10)), spec("neighbour"), workers=1)
    stage.dispatcher._deadlines._grace_seconds = 0.01
    worker = stage.workers[0]
    stage.claim(running(1), running(2, function="neighbour"))
    await asyncio.wait_for(worker.was_killed.wait(), 5)
    worker.die("killed by signal 9")

    assert [(m.id, m.name, m.charged, m.isolation) for m in stage.writer.moves] == [
        ("id1", "retry", 1, Isolation.NONE),
        ("id2", "interrupt", 0, Isolation.NONE),
    ]


async def test_a_death_during_somebodys_grace_makes_suspects_of_the_others() -> None:
    stage = Stage(spec(max_duration=timedelta(milliseconds=10)), spec("poison"), workers=1)
    worker = stage.workers[0]
    stage.claim(running(1), running(2, function="poison"))
    await asyncio.wait_for(worker.was_cancelled.wait(), 5)
    worker.die("died of a segmentation fault")

    assert [(m.id, m.name, m.isolation) for m in stage.writer.moves] == [
        ("id1", "retry", Isolation.NONE),
        ("id2", "interrupt", Isolation.SUSPECT),
    ]
