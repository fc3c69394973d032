"""The dispatcher hands claims to workers and turns what they say into moves."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import pytest

from defer_cli.domain.errors import StoreError
from defer_cli.domain.retry import NO_RETRY, RetryPolicy
from defer_cli.domain.states import State
from defer_cli.engine.events import LeftQueue
from defer_cli.store.contract import Claim, Ending, Limit
from tests.unit.engine.harness import NOW, SLOTS, Stage, raised, returned, running, spec


async def test_each_worker_that_joins_brings_its_slots() -> None:
    stage = Stage(workers=2)

    assert stage.writer.granted == 2 * SLOTS


async def test_the_functions_are_claimed_under_their_limits() -> None:
    stage = Stage(spec(concurrency=3, max_concurrency_action="cancel"))
    stage.dispatcher.set_functions(stage.pool.specs)

    assert stage.writer.functions == {"compute": Limit(3, "cancel")}


async def test_work_goes_to_the_least_loaded_worker() -> None:
    stage = Stage(workers=2)
    first, second = stage.workers
    stage.claim(running(1))
    stage.claim(running(2), running(3), running(4))

    assert [item.seq for item in first.started] == [1, 3]
    assert [item.seq for item in second.started] == [2, 4]


async def test_a_start_carries_what_the_worker_needs() -> None:
    stage = Stage(spec("other"), spec(max_duration=timedelta(seconds=60)), workers=1)
    stage.claim(running(7, arguments=b"[1]", metadata=b"{}"))
    (item,) = stage.workers[0].started

    assert (item.id, item.attempt, item.function, item.arguments) == ("id7", 1, 1, b"[1]")
    assert (item.metadata, item.deadline_us, item.marked) == (b"{}", NOW + 60_000_000, None)


async def test_many_large_arguments_are_cut_into_frames() -> None:
    stage = Stage(workers=1)
    stage.claim(*(running(seq, arguments=b"x" * 1_000_000) for seq in range(1, 9)))

    assert len(stage.workers[0].started) == 8
    assert len(stage.workers[0].sent) > 1


async def test_a_later_attempt_travels_with_its_marked_children() -> None:
    stage = Stage(workers=1)
    stage.writer.store.marked["id1"] = {b"h": 2}
    stage.claim(running(1, attempt=2), running(2))
    before = list(stage.workers[0].started)
    await asyncio.sleep(0.01)

    assert before == []
    assert [item.marked for item in stage.workers[0].started] == [{b"h": 2}, None]


async def test_what_is_on_its_way_to_a_worker_is_not_idle() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1, attempt=2))

    assert stage.dispatcher.is_idle is False


async def test_a_later_attempt_is_put_back_when_its_children_cannot_be_counted() -> None:
    stage = Stage(workers=1)
    stage.writer.failure = StoreError("full")
    stage.claim(running(1, attempt=2))
    await asyncio.sleep(0.01)

    assert stage.moves() == [("id1", "interrupt")]
    assert stage.writer.granted == SLOTS


async def test_an_outcome_gives_its_slot_back() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1))
    stage.report(stage.workers[0], returned())

    assert stage.moves() == [("id1", "succeed")]
    assert stage.writer.granted == SLOTS


async def test_a_late_outcome_is_dropped() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1, attempt=1))
    stage.report(stage.workers[0], returned(attempt=2), returned(seq=9))

    assert stage.moves() == []
    assert stage.writer.granted == SLOTS - 1


async def test_a_doubled_outcome_counts_once() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1))
    stage.report(stage.workers[0], returned(), returned())

    assert stage.moves() == [("id1", "succeed")]
    assert stage.writer.granted == SLOTS


async def test_an_outcome_from_a_worker_that_does_not_hold_it_is_dropped() -> None:
    stage = Stage(workers=2)
    stage.claim(running(1))
    stage.report(stage.workers[1], returned())

    assert stage.moves() == []


async def test_a_failure_is_retried_by_the_functions_policy() -> None:
    stage = Stage(spec(retry=RetryPolicy(max_attempts=1, initial_interval=2, randomization_factor=0)), workers=1)
    stage.claim(running(1))
    stage.report(stage.workers[0], raised())
    (move,) = stage.writer.moves

    assert (move.name, move.scheduled_us, move.charged) == ("retry", NOW + 2_000_000, 1)


async def test_a_failure_that_cannot_be_retried_fails() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1))
    stage.report(stage.workers[0], raised(is_retryable=False))

    assert stage.moves() == [("id1", "fail")]


async def test_failures_are_counted_once_they_are_on_disk() -> None:
    stage = Stage(spec(retry=NO_RETRY), workers=1)
    stage.claim(running(1))
    stage.report(stage.workers[0], raised())
    before = stage.dispatcher.failures
    stage.commit()

    assert (before, stage.dispatcher.failures) == (0, 1)


async def test_a_refused_move_is_told_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage(workers=1)
    stage.claim(running(1))
    stage.report(stage.workers[0], returned())
    with caplog.at_level(logging.WARNING):
        stage.commit(applied=False)
        stage.commit(applied=False)  # nor was it overtaken by an abort

    assert (stage.listener.moves, stage.moves()) == ([], [])
    assert "a late writer was refused" in caplog.text


async def test_moves_are_told_after_their_commit() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1))
    stage.report(stage.workers[0], returned())
    before = list(stage.listener.moves)
    stage.commit()

    assert before == []
    assert [move.id for move in stage.listener.moves] == ["id1"]


async def test_what_a_claim_has_ended_is_told() -> None:
    stage = Stage()
    stage.dispatcher.claimed(Claim([], [Ending(1, "id1", "compute", State.CANCELLED)]))

    assert stage.listener.events == [LeftQueue("compute", "id1", "cancelled")]


async def test_the_next_due_time_is_told_once() -> None:
    stage = Stage()
    told: list[int | None] = []
    stage.dispatcher.on_next_due = lambda: told.append(stage.dispatcher.next_wake_us())
    for _ in range(2):
        stage.dispatcher.claimed(Claim([], [], NOW + 5))

    assert told == [NOW + 5]


async def test_a_wake_claims_only_what_has_become_due() -> None:
    stage = Stage()
    stage.dispatcher.claimed(Claim([], [], NOW + 5))
    stage.dispatcher.wake()
    before = stage.writer.wakes
    stage.now_us += 5
    stage.dispatcher.wake()

    assert (before, stage.writer.wakes) == (0, 1)
