"""An attempt that waits gives its slot back, and a wait that could never end is refused."""

from __future__ import annotations

from defer_cli.domain.errors import CallRefused
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


def wait(stage: Stage, seq: int, child: str, function: str = "compute", state: str = "created") -> CallRefused | None:
    """Have an attempt wait for a child; return the refusal."""
    stage.dispatcher.waiting.add(child, lambda *ended: None, seq=seq)
    return stage.dispatcher.would_never_end(child, function, state)


async def test_a_wait_for_a_function_whose_only_place_waits_itself_is_refused() -> None:
    stage = Stage(spec(concurrency=1), workers=1)
    stage.claim(running(1))
    refusal = wait(stage, 1, "child")

    assert refusal is not None
    assert "would never end" in refusal.problem
    assert refusal.mend == "raise its concurrency, or call compute() without waiting"


async def test_a_wait_is_refused_through_the_chain_of_parents() -> None:
    stage = Stage(spec("outer", concurrency=1), spec("inner"), workers=1)
    stage.claim(running(1, function="outer"), running(2, function="inner", parent="id1"))

    assert wait(stage, 1, "id2", "inner", "started") is None
    assert wait(stage, 2, "id3", "outer") is not None


async def test_a_wait_is_refused_when_another_chain_holds_the_other_place() -> None:
    stage = Stage(spec(concurrency=2), workers=1)
    stage.claim(running(1), running(2))

    assert wait(stage, 1, "child1") is None
    assert wait(stage, 2, "child2") is not None


async def test_a_wait_is_refused_when_two_functions_wait_for_each_others_place() -> None:
    stage = Stage(spec("a", concurrency=1), spec("b", concurrency=1), workers=1)
    stage.claim(running(1, function="a"), running(2, function="b"))

    assert wait(stage, 1, "child1", "b") is None
    assert wait(stage, 2, "child2", "a") is not None


async def test_a_wait_for_a_place_that_somebody_will_free_is_granted() -> None:
    stage = Stage(spec(concurrency=2), workers=1)
    stage.claim(running(1), running(2))

    assert wait(stage, 1, "child1") is None


async def test_a_wait_for_a_place_whose_holder_waits_for_what_runs_is_granted() -> None:
    stage = Stage(spec(concurrency=1), spec("worker"), workers=1)
    stage.claim(running(1), running(2, function="worker"), running(3, function="worker"))

    assert wait(stage, 1, "id2", "worker", "started") is None
    assert wait(stage, 3, "child", "compute") is None


async def test_a_wait_for_a_place_whose_holder_waits_for_what_can_start_is_granted() -> None:
    stage = Stage(spec(concurrency=1), spec("free"), workers=1)
    stage.claim(running(1), running(2, function="free"))

    assert wait(stage, 1, "child1", "free") is None
    assert wait(stage, 2, "child2", "compute") is None


async def test_a_place_of_an_attempt_that_has_ended_is_free() -> None:
    stage = Stage(spec(concurrency=1), spec("free"), workers=1)
    stage.claim(running(1), running(2, function="free"))
    stage.report(stage.workers[0], returned(1))

    assert wait(stage, 2, "child", "compute") is None


async def test_a_wait_for_what_runs_already_is_granted() -> None:
    stage = Stage(spec(concurrency=1), workers=1)
    stage.claim(running(1))

    assert wait(stage, 1, "child", "compute", "started") is None
