"""What is to be run isolated gets a process beyond the pool; who dies alone in a fresh one is charged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from defer_cli.domain.errors import StoreError
from defer_cli.domain.settle import Isolation, Running
from defer_cli.engine import isolated
from defer_cli.engine.events import WorkerDied
from defer_cli.engine.isolated import PLACES
from defer_cli.store.contract import Store
from tests.unit.engine.harness import FakeWorker, Stage, returned, running, spec, until


def suspect(seq: int = 1, **fields: Any) -> Running:
    return running(seq, attempt=2, isolation=Isolation.SUSPECT, **fields)


async def placed(stage: Stage, *items: Running) -> list[FakeWorker]:
    """Claim, and return the processes beyond the pool once all that was claimed has begun."""
    stage.claim(*items)
    await until(lambda: all(item.seq in stage.dispatcher._assigned for item in items))
    return stage.pool.alone


async def ended(stage: Stage, worker: FakeWorker, seq: int) -> None:
    stage.report(worker, returned(seq, attempt=2))
    stage.commit()


async def test_there_are_two_places_beyond_the_pool() -> None:
    stage = Stage(workers=1)

    assert stage.writer.granted_isolated == PLACES == 2


async def test_there_is_one_while_it_is_to_be_found_out_who_kills_runners() -> None:
    stage = Stage(workers=1, has_suspects=True)

    assert stage.writer.granted_isolated == 1


async def test_there_is_one_as_long_as_any_suspect_has_not_ended() -> None:
    stage = Stage(workers=1, has_suspects=True)
    (worker,) = await placed(stage, suspect(losses=2))
    await ended(stage, worker, 1)
    await until(lambda: stage.writer.store.looks)
    await asyncio.sleep(0.01)

    assert stage.writer.granted_isolated == 1


async def test_once_none_is_left_there_are_two() -> None:
    stage = Stage(workers=1, has_suspects=True)
    (worker,) = await placed(stage, suspect(losses=2))
    stage.writer.store.has_suspects = False
    await ended(stage, worker, 1)

    await until(lambda: stage.writer.granted_isolated == PLACES)


async def test_that_is_asked_when_the_outcome_of_what_died_is_on_its_way_to_the_disk() -> None:
    stage = Stage(workers=1, has_suspects=True)
    (worker,) = await placed(stage, suspect(losses=2))
    seen: list[int] = []
    submit = stage.writer.submit

    def noting(work: Callable[[Store], Any]) -> asyncio.Future[Any]:
        seen.append(len(stage.writer.moves))
        return submit(work)

    stage.writer.submit = noting  # type: ignore[method-assign]
    stage.writer.store.has_suspects = False
    worker.die()

    await until(lambda: stage.writer.granted_isolated == PLACES)
    assert set(seen) == {1}


async def test_a_store_that_cannot_tell_is_asked_at_the_next_end() -> None:
    stage = Stage(workers=1, has_suspects=True)
    (worker,) = await placed(stage, suspect(1, losses=2))
    stage.writer.store.has_suspects = False
    stage.writer.failure = StoreError("it refuses")
    await ended(stage, worker, 1)
    await asyncio.sleep(0.01)
    before = stage.writer.granted_isolated
    stage.writer.failure = None
    await placed(stage, suspect(2))
    await ended(stage, worker, 2)

    assert before == 1
    await until(lambda: stage.writer.granted_isolated == PLACES)


async def test_with_two_places_the_store_is_not_asked() -> None:
    stage = Stage(workers=1, has_suspects=True)
    (worker,) = await placed(stage, suspect(1, losses=2))
    stage.writer.store.has_suspects = False
    await ended(stage, worker, 1)
    await until(lambda: stage.writer.granted_isolated == PLACES)
    await placed(stage, suspect(2))
    await ended(stage, worker, 2)
    await asyncio.sleep(0.01)

    assert stage.writer.store.looks == 1


async def test_it_runs_in_a_process_of_its_own() -> None:
    stage = Stage(workers=1)
    alone = await placed(stage, suspect(1), suspect(2))

    assert [[item.seq for item in worker.started] for worker in alone] == [[1], [2]]
    assert stage.workers[0].started == []


async def test_its_place_is_free_when_it_has_ended() -> None:
    stage = Stage(workers=1)
    (worker,) = await placed(stage, suspect())
    before = stage.writer.granted_isolated
    await ended(stage, worker, 1)

    assert before == PLACES - 1
    await until(lambda: stage.writer.granted_isolated == PLACES)
    assert stage.moves() == []


async def test_the_next_one_runs_in_the_process_that_has_become_free() -> None:
    stage = Stage(workers=1)
    (worker,) = await placed(stage, suspect(1))
    await ended(stage, worker, 1)
    alone = await placed(stage, suspect(2))

    assert alone == [worker]
    assert [item.seq for item in worker.started] == [1, 2]


async def test_who_dies_alone_in_a_fresh_process_is_charged() -> None:
    stage = Stage(workers=1)
    (worker,) = await placed(stage, suspect())
    worker.die("died of a segmentation fault")
    (move,) = stage.writer.moves

    assert (move.name, move.charged, move.isolation) == ("retry", 1, Isolation.KILLER)
    assert move.error is not None
    assert (move.error.code, move.error.type) == ("ER0003", "ProcessDied")
    assert move.error.message == "its process died of a segmentation fault"
    assert [type(event) for event in stage.listener.events] == [WorkerDied]
    await until(lambda: stage.writer.granted_isolated == PLACES)


async def test_who_dies_in_a_used_process_runs_once_more_in_a_fresh_one() -> None:
    stage = Stage(workers=1)
    used, other = await placed(stage, suspect(1), suspect(9))
    await ended(stage, other, 9)
    await ended(stage, used, 1)
    await placed(stage, suspect(2))
    occupied = next(worker for worker in (used, other) if worker.assigned)
    occupied.die()
    (move,) = stage.writer.moves
    stage.writer.moves.clear()
    alone = await placed(stage, suspect(2))
    alone[-1].die()
    (second,) = stage.writer.moves

    assert (move.name, move.charged, move.isolation) == ("interrupt", 0, Isolation.SUSPECT)
    assert len(alone) == 3
    assert (second.name, second.charged) == ("retry", 1)


async def test_a_process_that_nothing_needs_leaves_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "_REST_SECONDS", 0.01)
    stage = Stage(workers=1)
    (worker,) = await placed(stage, suspect())
    left = asyncio.Event()
    monkeypatch.setattr(worker, "leave", left.set)
    await ended(stage, worker, 1)

    await asyncio.wait_for(left.wait(), 5)
    assert await placed(stage, suspect(2)) != [worker]


async def test_one_that_waits_gives_its_place_back() -> None:
    stage = Stage(spec("compute"), spec("child"), workers=1)
    (worker,) = await placed(stage, suspect())
    stage.wait(1, "child-id", "child")
    given = stage.writer.granted_isolated
    stage.end("child-id")
    await until(lambda: worker.ended == ["child-id"])

    assert given == PLACES
    assert stage.writer.granted_isolated == PLACES - 1


async def test_one_whose_process_cannot_start_waits_uncharged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "_PAUSE_SECONDS", 0)
    stage = Stage(workers=1)
    stage.pool.failure = OSError("no more processes")
    stage.claim(suspect())
    await until(lambda: stage.writer.moves)
    (move,) = stage.writer.moves

    assert (move.name, move.charged, move.isolation) == ("interrupt", 0, Isolation.SUSPECT)
    assert stage.writer.granted_isolated == PLACES


async def test_one_that_is_aborted_before_its_process_has_started_never_begins() -> None:
    stage = Stage(workers=1)
    stage.pool.may_start.clear()
    stage.claim(suspect())
    await until(lambda: stage.dispatcher._isolated._tasks)
    stage.dispatcher.abort([running(1, attempt=2, isolation=Isolation.SUSPECT, is_aborting=True)])
    stage.pool.may_start.set()
    await until(lambda: stage.pool.alone)

    assert stage.moves() == [("id1", "aborted")]
    assert stage.pool.alone[0].started == []
    assert stage.writer.granted_isolated == PLACES


async def test_a_stop_puts_back_what_has_no_process_yet() -> None:
    stage = Stage(workers=1)
    stage.pool.may_start.clear()
    stage.claim(suspect())
    await until(lambda: stage.dispatcher._isolated._tasks)
    drain = asyncio.create_task(stage.dispatcher.drain(timedelta(seconds=5), hurry=asyncio.Event()))
    await asyncio.sleep(0)
    stage.pool.may_start.set()
    await until(lambda: stage.writer.moves)
    (move,) = stage.commit()
    await asyncio.wait_for(drain, 5)

    assert (move.name, move.isolation) == ("interrupt", Isolation.SUSPECT)


async def test_what_killed_its_runner_three_times_is_charged_without_being_run() -> None:
    stage = Stage(workers=1)
    stage.dispatcher.charge(suspect(losses=3))
    (move,) = stage.writer.moves

    assert (move.name, move.charged, move.losses, move.isolation) == ("retry", 1, 0, Isolation.KILLER)
    assert move.error is not None
    assert move.error.message == "its runner died while it ran, 3 times in a row"


async def test_of_an_unknown_function_it_is_kept() -> None:
    stage = Stage(workers=1)
    stage.dispatcher.charge(suspect(losses=3, function="gone"))

    assert stage.moves() == [("id1", "interrupt")]
