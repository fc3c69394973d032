"""An abort that is on disk ends its attempt, wherever that is when the runner hears of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from defer_cli.domain.settle import Isolation
from defer_cli.domain.states import State
from defer_cli.engine.events import Aborting
from defer_cli.link.frames import Cancel, Ended
from tests.unit.engine.harness import SLOTS, Outside, Stage, raised, returned, running, spec

SHORT = timedelta(milliseconds=10)


def abort(stage: Stage, *seqs: int, attempt: int = 1) -> None:
    """Tell the dispatcher of attempts whose abort has been committed."""
    stage.dispatcher.abort([running(seq, attempt=attempt, is_aborting=True) for seq in seqs])


def grace(stage: Stage, seconds: float) -> None:
    stage.dispatcher._deadlines._grace_seconds = seconds


async def test_an_attempt_in_a_worker_is_asked_to_end() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1), running(2))
    abort(stage, 2)

    assert stage.workers[0].cancelled == [2]
    assert stage.moves() == []


async def test_attempts_of_one_worker_are_asked_in_one_frame() -> None:
    stage = Stage(workers=2)
    stage.claim(*(running(seq) for seq in range(1, 5)))
    abort(stage, 1, 2, 3, 4)

    assert [worker.cancelled for worker in stage.workers] == [[1, 3], [2, 4]]
    assert [sum(isinstance(frame, Cancel) for frame in worker.sent) for worker in stage.workers] == [1, 1]


@pytest.mark.parametrize("outcome", [returned(), raised(), raised(is_retryable=False)])
async def test_whatever_an_aborting_attempt_comes_to_it_is_aborted(outcome: object) -> None:
    stage = Stage(workers=1)
    stage.claim(running(1))
    abort(stage, 1)
    stage.report(stage.workers[0], outcome)  # type: ignore[arg-type]
    (move,) = stage.writer.moves

    assert (move.name, move.source, move.target) == ("aborted", State.ABORTING, State.ABORTED)
    assert (move.result, move.error, move.scheduled_us) == (None, None, None)
    assert stage.writer.granted == SLOTS


async def test_who_waits_for_an_aborted_execution_is_told() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1))
    caller = Outside()
    stage.dispatcher.waiting.add(caller, 1, "id1", seq=0)
    abort(stage, 1)
    stage.report(stage.workers[0], raised())
    stage.commit()

    assert caller.sent == [Ended(1, "id1", "aborted")]
    assert stage.dispatcher.failures == 0


async def test_an_abort_is_told_when_it_is_asked_for() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1))
    abort(stage, 1)

    assert stage.listener.events == [Aborting("compute", "id1", 1)]


# The outcome was faster than the news.


@pytest.mark.parametrize("outcome", [returned(), raised(), raised(is_retryable=False)])
async def test_an_outcome_that_an_abort_overtook_becomes_aborted(outcome: object) -> None:
    stage = Stage(workers=1)
    stage.claim(running(1))
    stage.report(stage.workers[0], outcome)  # type: ignore[arg-type]
    abort(stage, 1)
    stage.commit(applied=False)
    (move,) = stage.writer.moves

    assert (move.name, move.source, move.attempt, move.error) == ("aborted", State.ABORTING, 1, None)
    assert stage.listener.moves == []
    assert stage.writer.granted == SLOTS


async def test_an_attempt_that_ended_before_the_news_is_not_asked() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1))
    stage.report(stage.workers[0], returned())
    abort(stage, 1)

    assert stage.workers[0].cancelled == []
    assert stage.moves() == [("id1", "succeed")]


async def test_what_a_dead_worker_ran_is_aborted_when_an_abort_overtook_its_death() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1))
    stage.workers[0].die()
    stage.commit(applied=False)

    assert stage.moves() == [("id1", "aborted")]
    assert stage.writer.granted == 0


# It is not with a worker yet.


async def test_an_attempt_on_its_way_to_a_worker_never_begins() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1, attempt=2), running(2))
    abort(stage, 1, attempt=2)
    await asyncio.sleep(0.01)

    assert [item.seq for item in stage.workers[0].started] == [2]
    assert stage.moves() == [("id1", "aborted")]
    assert stage.writer.granted == SLOTS - 1


async def test_an_attempt_without_a_worker_never_begins() -> None:
    stage = Stage(workers=1)
    stage.workers[0].die()
    stage.claim(running(1), running(2))
    abort(stage, 1)
    new = stage.join()
    await asyncio.sleep(0.01)

    assert [item.seq for item in new.started] == [2]
    assert stage.moves() == [("id1", "aborted")]
    assert stage.writer.granted == SLOTS - 1


async def test_an_attempt_that_was_put_back_is_aborted_when_an_abort_overtook_that() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1, function="gone"))
    abort(stage, 1)
    stage.commit(applied=False)

    assert stage.moves() == [("id1", "aborted")]
    assert stage.writer.granted == SLOTS


async def test_the_last_one_that_never_began_ends_the_wait_for_idleness() -> None:
    stage = Stage(workers=1)
    stage.workers[0].die()
    stage.claim(running(1))
    idle = asyncio.create_task(stage.dispatcher.until_idle())
    await asyncio.sleep(0)
    was_done = idle.done()
    abort(stage, 1)
    stage.commit()
    await asyncio.wait_for(idle, 5)

    assert was_done is False


# Its worker.


async def test_an_aborting_attempt_whose_worker_dies_is_aborted_and_its_neighbour_suspect() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1), running(2))
    abort(stage, 1)
    stage.workers[0].die()

    assert [(move.name, move.isolation) for move in stage.writer.moves] == [
        ("aborted", Isolation.NONE),
        ("interrupt", Isolation.SUSPECT),
    ]
    assert stage.writer.granted == 0


async def test_an_aborting_attempt_lets_its_retired_worker_go() -> None:
    stage = Stage(workers=1)
    worker = stage.workers[0]
    stage.claim(running(1))
    stage.dispatcher.worker_retired(worker)
    worker.is_retiring = True
    abort(stage, 1)
    stage.report(worker, raised())

    assert (worker.cancelled, stage.moves()) == ([1], [("id1", "aborted")])
    assert (stage.pool.left, stage.writer.granted) == ([worker], 0)


async def test_one_that_does_not_end_is_killed_and_its_neighbours_run_again_uncharged() -> None:
    stage = Stage(workers=1)
    grace(stage, 0.01)
    worker = stage.workers[0]
    stage.claim(running(1), running(2, charged=1))
    abort(stage, 1)
    await asyncio.wait_for(worker.was_killed.wait(), 5)
    worker.die("was killed by signal 9")

    assert worker.exit_cause == "was killed: compute did not end within 5 s"
    assert [(move.name, move.charged, move.isolation) for move in stage.writer.moves] == [
        ("aborted", 0, Isolation.NONE),
        ("interrupt", 1, Isolation.NONE),
    ]


async def test_one_that_ends_in_time_is_not_killed() -> None:
    stage = Stage(workers=2)
    grace(stage, 0.02)
    polite, stubborn = stage.workers
    stage.claim(running(1), running(2))
    abort(stage, 1, 2)
    stage.report(polite, raised(1))
    await asyncio.wait_for(stubborn.was_killed.wait(), 5)

    assert polite.was_killed.is_set() is False


# It is asked to end for two reasons.


async def test_an_aborting_attempt_over_its_time_is_aborted_and_asked_once() -> None:
    stage = Stage(spec(max_duration=SHORT), spec("other", max_duration=SHORT), workers=2)
    worker, other = stage.workers
    stage.claim(running(1), running(2, function="other"))
    abort(stage, 1)
    await asyncio.wait_for(other.was_cancelled.wait(), 5)
    stage.report(worker, raised(1))

    assert worker.cancelled == [1]
    assert stage.moves() == [("id1", "aborted")]


async def test_an_attempt_over_its_time_that_is_aborted_is_aborted_and_asked_once() -> None:
    stage = Stage(spec(max_duration=SHORT), workers=1)
    worker = stage.workers[0]
    stage.claim(running(1))
    await asyncio.wait_for(worker.was_cancelled.wait(), 5)
    abort(stage, 1)
    stage.report(worker, raised(1))

    assert worker.cancelled == [1]
    assert stage.moves() == [("id1", "aborted")]


async def test_a_stop_does_not_ask_an_aborting_attempt_again() -> None:
    stage = Stage(workers=1)
    worker = stage.workers[0]
    stage.claim(running(1), running(2))
    abort(stage, 1)
    worker.was_cancelled.clear()
    drain = asyncio.create_task(stage.dispatcher.drain(timedelta(0), hurry=asyncio.Event()))
    await asyncio.wait_for(worker.was_cancelled.wait(), 5)
    stage.report(worker, returned(1), returned(2))
    moves = stage.commit()
    await asyncio.wait_for(drain, 5)

    assert worker.cancelled == [1, 2]
    assert [move.name for move in moves] == ["aborted", "succeed"]


async def test_an_abort_during_a_stop_decides_and_asks_no_second_time() -> None:
    stage = Stage(workers=1)
    worker = stage.workers[0]
    stage.claim(running(1))
    drain = asyncio.create_task(stage.dispatcher.drain(timedelta(0), hurry=asyncio.Event()))
    await asyncio.wait_for(worker.was_cancelled.wait(), 5)
    abort(stage, 1)
    stage.report(worker, returned(1))
    (move,) = stage.commit()
    await asyncio.wait_for(drain, 5)

    assert (worker.cancelled, move.name) == ([1], "aborted")


# It waits for another.


async def test_a_stop_waits_for_the_end_of_an_aborting_attempt_that_waited() -> None:
    stage = Stage(workers=1)
    worker = stage.workers[0]
    stage.claim(running(1))
    stage.wait(1, "child")
    abort(stage, 1)
    drain = asyncio.create_task(stage.dispatcher.drain(timedelta(seconds=10), hurry=asyncio.Event()))
    await asyncio.sleep(0.01)
    was_done = drain.done()
    stage.report(worker, raised(1))
    (move,) = stage.commit()
    await asyncio.wait_for(drain, 5)

    assert (was_done, move.name) == (False, "aborted")


async def test_an_aborting_attempt_that_waits_gives_its_slot_back_once() -> None:
    stage = Stage(workers=1)
    worker = stage.workers[0]
    stage.claim(running(1))
    stage.wait(1, "child")
    abort(stage, 1)
    stage.report(worker, raised(1))
    stage.end("child")

    assert (stage.writer.granted, worker.load) == (SLOTS, 0)


async def test_the_place_of_an_aborting_attempt_that_waits_will_be_free() -> None:
    stage = Stage(spec("a", concurrency=1), spec("b", concurrency=1), workers=1)
    stage.claim(running(1, function="a"), running(2, function="b"))
    stage.wait(1, "child1", "b")
    abort(stage, 1)
    stage.wait(2, "child2", "a")

    assert stage.workers[0].refusals == []
