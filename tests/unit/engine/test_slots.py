"""No worker runs more attempts than it has slots; who waited in it comes before what could be claimed."""

from __future__ import annotations

import asyncio

from tests.unit.engine.harness import SLOTS, Stage, returned, running


def full(*, workers: int = 1) -> Stage:
    """A stage whose first worker runs nine attempts beside one that waits; the freed slot is taken by an eleventh."""
    stage = Stage(workers=workers)
    stage.claim(*(running(seq) for seq in range(1, SLOTS + 1)))
    stage.wait(1, "child")
    stage.claim(running(11))
    return stage


async def test_an_attempt_goes_on_at_once_when_its_worker_has_room() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1))
    stage.wait(1, "child")
    stage.end("child")

    assert (stage.workers[0].ended, stage.workers[0].load) == (["child"], 1)


async def test_an_attempt_of_a_full_worker_is_told_when_a_slot_is_free() -> None:
    stage = full()
    worker = stage.workers[0]
    stage.end("child")
    before = (list(worker.ended), worker.load)
    stage.report(worker, returned(5))

    assert before == ([], SLOTS)
    assert (worker.ended, worker.load) == (["child"], SLOTS)


async def test_the_slot_it_takes_is_not_claimed_as_well() -> None:
    stage = full()
    stage.end("child")
    before = stage.writer.granted
    stage.report(stage.workers[0], returned(5))
    stage.report(stage.workers[0], returned(6))

    assert (before, stage.writer.granted) == (0, 1)


async def test_attempts_go_on_in_the_order_in_which_their_waits_were_over() -> None:
    stage = full()
    worker = stage.workers[0]
    stage.wait(2, "other")
    stage.claim(running(12))
    for child in ("other", "child"):
        stage.end(child)
    for seq in (5, 6):
        stage.report(worker, returned(seq))

    assert worker.ended == ["other", "child"]


async def test_a_slot_that_another_wait_gives_back_is_taken_too() -> None:
    stage = full()
    worker = stage.workers[0]
    stage.end("child")
    stage.wait(2, "other")

    assert (worker.ended, worker.load, stage.writer.granted) == (["child"], SLOTS, 0)


async def test_an_attempt_that_waits_again_meanwhile_is_told_without_a_slot() -> None:
    stage = full()
    worker = stage.workers[0]
    stage.end("child")
    stage.wait(1, "another")

    assert (worker.ended, worker.load, stage.writer.granted) == (["child"], SLOTS, 0)


async def test_an_attempt_that_ends_before_it_had_its_slot_frees_none() -> None:
    stage = full()
    worker = stage.workers[0]
    stage.end("child")
    stage.report(worker, returned(1))
    stage.report(worker, returned(2))

    assert (worker.load, stage.writer.granted) == (SLOTS - 1, 1)


async def test_a_cut_wait_takes_its_slot_over_the_count_and_nothing_is_claimed_until_it_is_free() -> None:
    stage = full()
    worker = stage.workers[0]
    number = stage.wait(2, "other")
    stage.claim(running(12))
    stage.dispatcher.waiting.cut(worker, number)
    over = (worker.load, stage.writer.granted)
    for seq in (5, 6):
        stage.report(worker, returned(seq))

    assert over == (SLOTS + 1, -1)
    assert (worker.load, stage.writer.granted) == (SLOTS - 1, 1)


async def test_a_cut_of_a_wait_whose_answer_was_held_back_takes_the_slot_now() -> None:
    stage = full()
    worker = stage.workers[0]
    stage.end("child")
    stage.dispatcher.waiting.cut(worker, 1)
    stage.report(worker, returned(5))

    assert (worker.load, stage.writer.granted) == (SLOTS, 0)


async def test_what_was_claimed_when_a_wait_took_the_last_slot_starts_when_there_is_room() -> None:
    stage = Stage(workers=1)
    worker = stage.workers[0]
    stage.claim(*(running(seq) for seq in range(1, SLOTS + 1)))
    stage.wait(1, "child")
    stage.end("child")
    stage.claim(running(11))
    before = len(worker.started)
    worker.was_started.clear()
    stage.report(worker, returned(5))
    await asyncio.wait_for(worker.was_started.wait(), 5)

    assert (before, worker.load, stage.writer.granted) == (SLOTS, SLOTS, 0)


async def test_a_retired_worker_still_gives_its_slots_to_who_waits_in_it() -> None:
    stage = full()
    worker = stage.workers[0]
    stage.dispatcher.worker_retired(worker)
    worker.is_retiring = True
    stage.end("child")
    granted = stage.writer.granted
    for seq in (5, 6):
        stage.report(worker, returned(seq))

    assert (worker.ended, worker.load) == (["child"], SLOTS - 1)
    assert stage.writer.granted == granted


async def test_a_blocked_worker_has_no_free_slots_until_it_goes_on() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1), running(2))
    worker = stage.workers[0]
    stage.dispatcher._blocked(worker)
    while_blocked = stage.writer.granted
    stage.report(worker, returned(1))
    after_one_has_ended = stage.writer.granted
    stage.dispatcher._unblocked(worker)

    assert (while_blocked, after_one_has_ended, stage.writer.granted) == (0, 0, SLOTS - 1)
    assert (stage.pool.stand_ins, stage.pool.trims) == (1, 1)


async def test_a_wait_in_a_blocked_worker_moves_no_slot_of_the_claim() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1), running(2))
    worker = stage.workers[0]
    stage.dispatcher._blocked(worker)
    stage.wait(1, "child")
    while_it_waits = stage.writer.granted
    stage.end("child")
    stage.dispatcher._unblocked(worker)

    assert (while_it_waits, stage.writer.granted) == (0, SLOTS - 2)


async def test_a_blocked_worker_that_dies_takes_its_slots_only_once() -> None:
    stage = Stage(workers=2)
    stage.claim(running(1), running(2), running(3))
    stage.dispatcher._blocked(stage.workers[0])
    stage.workers[0].die()

    assert stage.writer.granted == SLOTS - len(stage.workers[0].assigned)


async def test_a_blocked_worker_that_retires_takes_its_slots_only_once() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1))
    worker = stage.workers[0]
    stage.dispatcher._blocked(worker)
    stage.dispatcher.worker_retired(worker)
    worker.is_retiring = True
    stage.dispatcher._unblocked(worker)
    stage.report(worker, returned(1))

    assert stage.writer.granted == 0


async def test_a_blocked_worker_gets_nothing_that_was_claimed_before() -> None:
    stage = Stage(workers=2)
    blocked, other = stage.workers
    stage.dispatcher._blocked(blocked)
    stage.claim(*(running(seq) for seq in range(1, 5)))

    assert (len(blocked.started), len(other.started)) == (0, 4)


async def test_what_was_claimed_when_the_only_worker_was_blocked_goes_to_the_next() -> None:
    stage = Stage(workers=1)
    blocked = stage.workers[0]
    stage.dispatcher._blocked(blocked)
    stage.claim(running(1))
    worker = stage.join()
    await asyncio.wait_for(worker.was_started.wait(), 5)

    assert (len(blocked.started), [item.seq for item in worker.started]) == (0, [1])
    assert stage.writer.granted == SLOTS - 1
