"""A wait that could never end is refused as soon as that is so, and no other is."""

from __future__ import annotations

from tests.unit.engine.harness import Stage, returned, running, spec


def refused(stage: Stage, *, worker: int = 0) -> list[str]:
    """Return what the waits of a worker were refused with."""
    frames = stage.workers[worker].refusals
    assert {frame.kind for frame in frames} <= {"WaitRefused"}
    return [frame.problem for frame in frames]


async def test_a_wait_for_a_function_whose_only_place_waits_itself_is_refused() -> None:
    stage = Stage(spec(concurrency=1), workers=1)
    stage.claim(running(1))
    stage.wait(1, "child")
    (refusal,) = stage.workers[0].refusals

    assert "waiting for compute() would never end: its only place is held" in refusal.problem
    assert refusal.mend == "raise its concurrency, or call compute() without waiting"
    assert stage.workers[0].load == 1


async def test_a_wait_is_refused_through_the_chain_of_parents() -> None:
    stage = Stage(spec("outer", concurrency=1), spec("inner"), workers=1)
    stage.claim(running(1, function="outer"), running(2, function="inner"))
    stage.wait(1, "id2", "inner")
    before = refused(stage)
    stage.wait(2, "id3", "outer")

    assert before == []
    assert len(refused(stage)) == 1


async def test_a_wait_is_refused_when_another_chain_holds_the_other_place() -> None:
    stage = Stage(spec(concurrency=2), workers=1)
    stage.claim(running(1), running(2))
    stage.wait(1, "child1")
    before = refused(stage)
    stage.wait(2, "child2")

    assert before == []
    assert "its 2 places are held" in refused(stage)[0]


async def test_a_wait_is_refused_when_two_functions_wait_for_each_others_place() -> None:
    stage = Stage(spec("a", concurrency=1), spec("b", concurrency=1), workers=1)
    stage.claim(running(1, function="a"), running(2, function="b"))
    stage.wait(1, "child1", "b")
    stage.wait(2, "child2", "a")

    assert len(refused(stage)) == 1


async def test_a_wait_is_refused_in_a_ring_of_three() -> None:
    names = ("a", "b", "c")
    stage = Stage(*(spec(name, concurrency=1) for name in names), workers=1)
    stage.claim(*(running(seq, function=name) for seq, name in enumerate(names, 1)))
    stage.wait(1, "child1", "b")
    stage.wait(2, "child2", "c")
    before = refused(stage)
    stage.wait(3, "child3", "a")

    assert (before, len(refused(stage))) == ([], 1)


async def test_executions_that_wait_for_each_other_are_told_so() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1), running(2))
    stage.wait(1, "id2")
    stage.wait(2, "id1")

    assert "id1 waits itself, and cannot go on before this execution ends" in refused(stage)[0]


async def test_an_execution_that_waits_for_itself_is_told_so() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1))
    stage.wait(1, "id1")

    assert len(refused(stage)) == 1


async def test_of_several_waits_the_last_one_left_is_refused_once_it_can_never_end() -> None:
    stage = Stage(spec(concurrency=1), spec("free"), workers=1)
    stage.claim(running(1))
    stage.wait(1, "stuck")
    early = len(refused(stage))
    stage = Stage(spec(concurrency=1), spec("free"), workers=1)
    stage.claim(running(1))
    stage.wait(1, "good", "free")
    stage.wait(1, "stuck")
    before = refused(stage)
    stage.end("good")

    assert (early, before, len(refused(stage))) == (1, [], 1)
    assert stage.workers[0].load == 1


async def test_all_waits_that_cannot_end_are_refused_together() -> None:
    stage = Stage(spec(concurrency=1), spec("free"), workers=1)
    stage.claim(running(1))
    stage.wait(1, "good", "free")
    for child in ("a", "b", "c"):
        stage.wait(1, child)
    stage.end("good")

    assert len(refused(stage)) == 3
    assert stage.dispatcher.waiting.attempts == []


async def test_a_wait_that_is_cut_may_leave_one_that_never_ends() -> None:
    stage = Stage(spec(concurrency=1), spec("free"), workers=1)
    stage.claim(running(1))
    number = stage.wait(1, "good", "free")
    stage.wait(1, "stuck")
    stage.dispatcher.waiting.cut(stage.workers[0], number)

    assert len(refused(stage)) == 1


async def test_a_limit_that_a_reload_brings_is_seen_by_those_who_wait_already() -> None:
    stage = Stage(workers=1)
    stage.claim(running(1))
    stage.wait(1, "child")
    before = refused(stage)
    stage.dispatcher.set_functions({"compute": spec(concurrency=1)})

    assert (before, len(refused(stage))) == ([], 1)


async def test_a_wait_for_a_place_that_somebody_will_free_is_granted() -> None:
    stage = Stage(spec(concurrency=2), workers=1)
    stage.claim(running(1), running(2))
    stage.wait(1, "child1")

    assert refused(stage) == []


async def test_a_wait_for_a_place_whose_holder_waits_for_what_runs_is_granted() -> None:
    stage = Stage(spec(concurrency=1), spec("worker"), workers=1)
    stage.claim(running(1), running(2, function="worker"), running(3, function="worker"))
    stage.wait(1, "id2", "worker")
    stage.wait(3, "child")

    assert refused(stage) == []


async def test_a_wait_for_a_place_whose_holder_waits_for_what_can_start_is_granted() -> None:
    stage = Stage(spec(concurrency=1), spec("free"), workers=1)
    stage.claim(running(1), running(2, function="free"))
    stage.wait(1, "child1", "free")
    stage.wait(2, "child2")

    assert refused(stage) == []


async def test_a_wait_for_a_place_whose_holder_has_its_answer_already_is_granted() -> None:
    stage = Stage(spec(concurrency=1), spec("free"), workers=1)
    stage.claim(running(1), running(2, function="free"))
    stage.wait(1, "child1", "free")
    stage.end("child1")
    stage.wait(2, "child2")

    assert refused(stage) == []


async def test_a_wait_for_a_place_whose_holder_goes_on_when_it_has_a_slot_is_granted() -> None:
    stage = Stage(spec(concurrency=1), spec("free"), workers=2, slots=1)
    stage.claim(running(1), running(2, function="free"))
    stage.wait(1, "child1", "free")
    stage.claim(running(3, function="free"))
    stage.end("child1")
    stage.wait(2, "child2")

    assert stage.workers[0].ended == []
    assert stage.workers[1].refusals == []


async def test_a_place_of_an_attempt_that_has_ended_is_free() -> None:
    stage = Stage(spec(concurrency=1), spec("free"), workers=1)
    stage.claim(running(1), running(2, function="free"))
    stage.report(stage.workers[0], returned(1))
    stage.wait(2, "child")

    assert refused(stage) == []


async def test_a_wait_for_what_runs_already_is_granted() -> None:
    stage = Stage(spec(concurrency=1), spec("free"), workers=1)
    stage.claim(running(1), running(2, function="free"))
    stage.wait(2, "id1")

    assert refused(stage) == []


async def test_calls_over_the_limit_that_are_cancelled_need_no_place() -> None:
    stage = Stage(spec(concurrency=1, max_concurrency_action="cancel"), workers=1)
    stage.claim(running(1))
    stage.wait(1, "child")

    assert refused(stage) == []
