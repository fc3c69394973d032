"""An attempt that waits gives its slot back, and what it waits for is told when it is on disk."""

from __future__ import annotations

from tests.unit.engine.harness import SLOTS, Stage, raised, returned, running


async def test_an_attempt_that_waits_holds_no_slot() -> None:
    stage = Stage(workers=1)
    worker = stage.workers[0]
    stage.claim(running(1))
    stage.wait(1, "child")

    assert (stage.writer.granted, worker.load) == (SLOTS, 0)


async def test_an_attempt_whose_wait_is_over_takes_its_slot_again() -> None:
    stage = Stage(workers=1)
    worker = stage.workers[0]
    stage.claim(running(1))
    stage.wait(1, "child")
    stage.end("child")

    assert worker.ended == ["child"]
    assert (stage.writer.granted, worker.load) == (SLOTS - 1, 1)


async def test_an_attempt_that_waits_twice_takes_its_slot_after_both() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1))
    for child in ("a", "b"):
        stage.wait(1, child)
    stage.end("a")
    after_one = stage.writer.granted
    stage.end("b")

    assert (after_one, stage.writer.granted) == (SLOTS, SLOTS - 1)


async def test_an_attempt_that_ends_while_it_waits_gives_its_slot_back_once() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1))
    stage.wait(1, "child")
    stage.report(stage.workers[0], raised())
    stage.end("child")

    assert (stage.writer.granted, stage.workers[0].load) == (SLOTS, 0)


async def test_a_worker_that_dies_with_waiting_attempts_takes_just_its_slots() -> None:
    stage = Stage(workers=1)
    worker = stage.workers[0]
    stage.claim(running(1), running(2))
    stage.wait(1, "child")
    worker.die()

    assert stage.writer.granted == 0


async def test_a_worker_that_dies_drops_the_waits_of_its_threads_too() -> None:
    stage = Stage(workers=1)
    worker = stage.workers[0]
    stage.dispatcher.waiting.add(worker, 99, "child", seq=0)
    worker.die()

    assert stage.dispatcher.waiting.is_awaited("child") is False


async def test_a_child_that_ends_is_told_to_who_waits() -> None:
    stage = Stage(workers=2)
    stage.claim(running(1), running(2))
    stage.wait(2, "id1")
    (waits,) = (worker for worker in stage.workers if 2 in worker.assigned)
    (runs,) = (worker for worker in stage.workers if 1 in worker.assigned)
    stage.report(runs, returned(result=b'"x"'))
    before = list(waits.ended)
    stage.commit()

    assert before == []
    assert waits.ended == ["id1"]
