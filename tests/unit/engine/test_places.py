"""What runs isolated goes on after a wait when it has a place, and before anything that could be claimed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from defer_cli.domain.errors import StoreError
from defer_cli.domain.settle import Isolation, Reason, Running
from defer_cli.store.contract import Store
from tests.unit.engine.harness import FakeWorker, Stage, returned, running, spec, until


def suspect(seq: int) -> Running:
    return running(seq, attempt=2, isolation=Isolation.SUSPECT, losses=2)


async def rest() -> None:
    """Let all that can happen at once happen."""
    for _ in range(50):
        await asyncio.sleep(0)


def staged(*, has_suspects: bool = True) -> Stage:
    return Stage(spec("compute"), spec("child"), workers=1, has_suspects=has_suspects)


async def begun(stage: Stage, seq: int) -> FakeWorker:
    """Claim a suspect; return its process once it runs."""
    stage.claim(suspect(seq))
    await until(lambda: seq in stage.dispatcher._assigned)
    worker = stage.dispatcher._assigned[seq].process
    assert isinstance(worker, FakeWorker)
    return worker


async def beside(stage: Stage) -> tuple[FakeWorker, FakeWorker]:
    """Have the first wait for a child, and the second take its place; return their processes."""
    first = await begun(stage, 1)
    stage.wait(1, "child-id", "child")
    return first, await begun(stage, 2)


def end(stage: Stage, worker: FakeWorker, seq: int) -> None:
    stage.report(worker, returned(seq, attempt=2))
    stage.commit()


async def test_one_whose_wait_is_over_does_not_go_on_beside_one_that_runs() -> None:
    stage = staged()
    first, _ = await beside(stage)
    stage.end("child-id")
    await rest()

    assert first.ended == []
    assert stage.writer.store.went_on == []
    assert stage.writer.granted_isolated == -1


async def test_it_goes_on_when_that_one_has_ended_before_anything_is_claimed() -> None:
    stage = staged()
    first, second = await beside(stage)
    stage.end("child-id")
    await rest()
    end(stage, second, 2)
    await rest()

    assert first.ended == ["child-id"]
    assert stage.writer.store.went_on == [1]
    assert stage.writer.granted_isolated == 0


async def test_it_goes_on_when_that_one_waits_too() -> None:
    stage = staged()
    first, _ = await beside(stage)
    stage.end("child-id")
    stage.wait(2, "other-id", "child")
    await rest()

    assert first.ended == ["child-id"]
    assert stage.writer.granted_isolated == 0


async def test_it_goes_on_when_that_one_has_died() -> None:
    stage = staged()
    first, second = await beside(stage)
    stage.end("child-id")
    second.die()
    await rest()

    assert first.ended == ["child-id"]
    assert stage.writer.granted_isolated == 0


async def test_those_whose_waits_are_over_go_on_one_after_the_other_in_that_order() -> None:
    stage = staged()
    first, second = await beside(stage)
    stage.wait(2, "other-id", "child")
    third = await begun(stage, 3)
    stage.end("other-id")
    stage.end("child-id")
    await rest()
    end(stage, third, 3)
    await rest()
    before = (list(first.ended), list(second.ended))
    end(stage, second, 2)
    await rest()

    assert before == ([], ["other-id"])
    assert first.ended == ["child-id"]
    assert stage.writer.granted_isolated == 0


async def test_what_a_claim_on_its_way_took_has_the_place() -> None:
    stage = staged()
    first = await begun(stage, 1)
    stage.wait(1, "child-id", "child")
    stage.end("child-id")
    second = await begun(stage, 2)  # told of before the request comes back
    await rest()
    before = list(first.ended)
    end(stage, second, 2)
    await rest()

    assert before == []
    assert first.ended == ["child-id"]


async def test_a_suspect_that_waits_for_another_has_its_place_when_that_has_ended() -> None:
    stage = staged()
    first = await begun(stage, 1)
    stage.wait(1, "id2", "compute")
    second = await begun(stage, 2)
    granted: list[int] = []
    grant = stage.writer.grant_isolated

    def noting(places: int) -> None:
        grant(places)
        granted.append(stage.writer.granted_isolated)

    stage.writer.grant_isolated = noting  # type: ignore[method-assign]
    end(stage, second, 2)
    await rest()

    assert first.ended == ["id2"]
    assert max(granted) == 0  # at no moment could another have been claimed


async def test_that_it_goes_on_is_on_disk_before_it_does() -> None:
    stage = staged()
    first, second = await beside(stage)
    stage.end("child-id")
    await rest()
    seen: list[list[str]] = []
    submit = stage.writer.submit

    def noting(work: Callable[[Store], Any]) -> asyncio.Future[Any]:
        def noted(store: Store) -> Any:
            seen.append(list(first.ended))
            return work(store)

        return submit(noted)

    stage.writer.submit = noting  # type: ignore[method-assign]
    end(stage, second, 2)
    await rest()

    assert seen
    assert all(ended == [] for ended in seen)
    assert first.ended == ["child-id"]


async def test_it_goes_on_also_when_the_store_refuses_to_note_that() -> None:
    stage = staged()
    first, second = await beside(stage)
    stage.end("child-id")
    stage.writer.failure = StoreError("it refuses")
    end(stage, second, 2)
    await rest()

    assert first.ended == ["child-id"]


async def test_one_that_dies_while_it_waits_for_a_place_needs_none() -> None:
    stage = staged()
    first, second = await beside(stage)
    stage.end("child-id")
    await rest()
    first.die()
    before = stage.writer.granted_isolated
    end(stage, second, 2)
    await rest()

    assert before == 0
    assert stage.writer.granted_isolated == 1
    assert stage.writer.store.went_on == []


async def test_one_that_waits_again_before_it_had_a_place_is_answered_without_one() -> None:
    stage = staged()
    first, second = await beside(stage)
    stage.end("child-id")
    stage.wait(1, "another-id", "child")
    await rest()
    before = (list(first.ended), stage.writer.granted_isolated)
    end(stage, second, 2)
    await rest()

    assert before == (["child-id"], 0)
    assert stage.writer.granted_isolated == 1


async def test_a_second_place_is_had_by_one_that_waits_for_it() -> None:
    stage = staged()
    first, second = await beside(stage)
    stage.wait(2, "other-id", "child")
    third = await begun(stage, 3)
    for id in ("child-id", "other-id"):
        stage.end(id)
    await rest()
    before = (list(first.ended), list(second.ended))
    stage.writer.store.has_suspects = False
    end(stage, third, 3)
    await rest()

    assert before == ([], [])
    assert (first.ended, second.ended) == (["child-id"], ["other-id"])
    assert stage.writer.granted_isolated == 0


async def test_with_two_places_one_goes_on_beside_another_and_the_third_waits() -> None:
    stage = staged(has_suspects=False)
    first, _ = await beside(stage)
    await begun(stage, 3)
    stage.end("child-id")
    await rest()
    before = list(first.ended)
    stage.wait(3, "other-id", "child")
    await rest()

    assert before == []
    assert first.ended == ["child-id"]
    assert stage.writer.granted_isolated == 0


async def test_one_whose_wait_is_cut_has_the_place_and_who_runs_in_it_is_interrupted() -> None:
    stage = staged()
    first = await begun(stage, 1)
    number = stage.wait(1, "child-id", "child")
    second = await begun(stage, 2)
    stage.dispatcher.waiting.cut(first, number)
    was_killed = second.was_killed.is_set()
    second.die()
    (move,) = stage.writer.moves
    await rest()

    assert was_killed
    assert not first.was_killed.is_set()
    assert (move.name, move.charged, move.isolation) == ("interrupt", 0, Isolation.SUSPECT)
    assert stage.writer.store.went_on == [1]
    assert stage.writer.granted_isolated == 0


async def test_one_whose_held_answer_is_cut_has_the_place_too() -> None:
    stage = staged()
    first, second = await beside(stage)
    stage.end("child-id")
    await rest()
    stage.dispatcher.waiting.cut(first, 1)
    second.die()
    await rest()

    assert second.was_killed.is_set()
    assert stage.writer.granted_isolated == 0


async def test_what_was_to_begin_beside_one_whose_wait_was_cut_is_put_back() -> None:
    stage = staged()
    first = await begun(stage, 1)
    number = stage.wait(1, "child-id", "child")
    stage.pool.may_start.clear()
    stage.claim(suspect(2))
    await until(lambda: stage.dispatcher._isolated._tasks)
    stage.dispatcher.waiting.cut(first, number)
    stage.pool.may_start.set()
    await until(lambda: stage.writer.moves)

    assert stage.moves() == [("id2", "interrupt")]
    assert stage.writer.granted_isolated == 0


@pytest.mark.parametrize("reason", [Reason.STOP, Reason.MAX_DURATION])
async def test_one_that_is_asked_to_end_interrupts_nobody(reason: Reason) -> None:
    stage = staged()
    first = await begun(stage, 1)
    number = stage.wait(1, "child-id", "child")
    second = await begun(stage, 2)
    stage.dispatcher._assigned[1].reason = reason
    stage.dispatcher.waiting.cut(first, number)

    assert not second.was_killed.is_set()
    assert stage.writer.granted_isolated == -1


async def test_with_two_places_a_cut_wait_interrupts_nobody() -> None:
    stage = staged(has_suspects=False)
    first = await begun(stage, 1)
    number = stage.wait(1, "child-id", "child")
    others = [await begun(stage, seq) for seq in (2, 3)]
    stage.dispatcher.waiting.cut(first, number)

    assert not any(other.was_killed.is_set() for other in others)
    assert stage.writer.granted_isolated == -1


async def test_a_stop_lets_one_go_on_that_waits_for_a_place() -> None:
    stage = staged()
    first, second = await beside(stage)
    stage.end("child-id")
    await rest()
    drain = asyncio.create_task(stage.dispatcher.drain(timedelta(seconds=5), hurry=asyncio.Event()))
    await rest()
    end(stage, second, 2)
    while_it_settles = stage.dispatcher.only_waits
    await rest()
    went_on, is_asked_to_end = list(first.ended), bool(first.cancelled)
    end(stage, first, 1)
    await asyncio.wait_for(drain, 5)

    assert while_it_settles is False
    assert (went_on, is_asked_to_end) == (["child-id"], False)
