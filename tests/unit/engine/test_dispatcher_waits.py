"""An attempt that waits gives its slot back, and a wait that could never end is refused."""

from __future__ import annotations

from tests.unit.engine.harness import SLOTS, Stage, raised, returned, running, spec


async def test_an_attempt_that_waits_holds_no_slot() -> None:
    stage = Stage(workers=1)
    worker = stage.workers[0]
    stage.claim(running(1))
    stage.dispatcher.waiting.add("child", lambda *ended: None, seq=1)

    assert (stage.writer.granted, worker.load) == (SLOTS, 0)


async def test_an_attempt_whose_wait_is_over_takes_its_slot_again() -> None:
    stage = Stage(workers=1)
    worker = stage.workers[0]
    stage.claim(running(1))
    ended = []
    stage.dispatcher.waiting.add("child", lambda *args: ended.append(args), seq=1)
    stage.dispatcher.waiting.ended("child", "succeed", b"1", None)

    assert ended == [("succeed", b"1", None)]
    assert (stage.writer.granted, worker.load) == (SLOTS - 1, 1)


async def test_an_attempt_that_waits_twice_takes_its_slot_after_both() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1))
    for child in ("a", "b"):
        stage.dispatcher.waiting.add(child, lambda *ended: None, seq=1)
    stage.dispatcher.waiting.ended("a", "succeed", None, None)
    after_one = stage.writer.granted
    stage.dispatcher.waiting.ended("b", "succeed", None, None)

    assert (after_one, stage.writer.granted) == (SLOTS, SLOTS - 1)


async def test_an_attempt_that_ends_while_it_waits_gives_its_slot_back_once() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1))
    stage.dispatcher.waiting.add("child", lambda *ended: None, seq=1)
    stage.report(stage.workers[0], raised())
    stage.dispatcher.waiting.ended("child", "succeed", None, None)

    assert (stage.writer.granted, stage.workers[0].load) == (SLOTS, 0)


async def test_a_worker_that_dies_with_waiting_attempts_takes_just_its_slots() -> None:
    stage = Stage(workers=1)
    worker = stage.workers[0]
    stage.claim(running(1), running(2))
    stage.dispatcher.waiting.add("child", lambda *ended: None, seq=1)
    worker.die()

    assert stage.writer.granted == 0


async def test_a_child_that_ends_is_told_to_who_waits() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1))
    ended: list[tuple[object, ...]] = []
    stage.dispatcher.waiting.add("id1", lambda *args: ended.append(args), seq=0)
    stage.report(stage.workers[0], returned(result=b'"x"'))
    before = list(ended)
    stage.commit()

    assert before == []
    assert ended == [("succeed", b'"x"', None)]


async def test_a_wait_for_a_function_whose_only_place_waits_itself_is_refused() -> None:
    stage = Stage(spec(concurrency=1), workers=1)
    stage.claim(running(1))
    stage.dispatcher.waiting.add("child", lambda *ended: None, seq=1)
    refusal = stage.dispatcher.would_never_end(1, "compute", "created")

    assert refusal is not None
    assert "would never end" in refusal.problem
    assert refusal.mend == "raise its concurrency, or call compute() without waiting"


async def test_a_wait_is_refused_through_the_chain_of_parents() -> None:
    stage = Stage(spec("outer", concurrency=1), spec("inner"), workers=1)
    stage.claim(running(1, function="outer"), running(2, function="inner", parent="id1"))
    stage.dispatcher.waiting.add("id2", lambda *ended: None, seq=1)
    stage.dispatcher.waiting.add("id3", lambda *ended: None, seq=2)

    assert stage.dispatcher.would_never_end(2, "outer", "created") is not None


async def test_a_wait_for_a_function_with_a_place_left_is_granted() -> None:
    stage = Stage(spec(concurrency=2), workers=1)
    stage.claim(running(1))
    stage.dispatcher.waiting.add("child", lambda *ended: None, seq=1)

    assert stage.dispatcher.would_never_end(1, "compute", "created") is None


async def test_a_wait_for_what_runs_already_is_granted() -> None:
    stage = Stage(spec(concurrency=1), workers=1)
    stage.claim(running(1))

    assert stage.dispatcher.would_never_end(1, "compute", "started") is None
