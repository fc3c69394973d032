"""The writer shares commits, keeps their order, and answers nothing before they are on disk."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from defer_cli.domain.enqueue import Stored
from defer_cli.domain.errors import CallRefused, StoreError
from defer_cli.domain.log_chunk import LogChunk
from defer_cli.domain.states import State
from defer_cli.store.writer import MOST_CALLS
from tests.store.harness import call, limits, retry, succeed
from tests.unit.store.harness import DEADLINE_SECONDS, Desk

LINE = b"\x91\x93\x01\xa6stdout\xa1a"
DAMAGED = StoreError("damaged", is_fatal=True)


async def test_a_call_is_on_disk_when_it_is_answered(desk: Desk) -> None:
    (stored,) = await desk.enqueue(call(id="x"))

    assert isinstance(stored, Stored)
    assert desk.states() == {"x": State.CREATED}


async def test_a_call_is_answered_without_waiting_for_the_loop(desk: Desk) -> None:
    await desk.enqueue(call())

    assert [thread.name for thread in desk.answered_on] == ["defer-writer"]


async def test_an_answer_that_cannot_be_given_harms_no_other(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    def fail(results: object, error: object) -> None:
        raise OSError("the caller has gone")

    with desk.shut():
        desk.writer.enqueue([call(id="gone")], fail)
        other = desk.promise(call(id="x"))
    await other

    assert desk.states() == {"gone": State.CREATED, "x": State.CREATED}
    assert "an answer could not be given" in caplog.text


async def test_nothing_is_answered_before_the_commit(desk: Desk) -> None:
    desk.store.may_commit.clear()
    promise = desk.promise(call(id="x"))
    assert await asyncio.to_thread(desk.store.is_committing.wait, DEADLINE_SECONDS)
    was_answered, was_stored = promise.done(), desk.states()
    desk.store.may_commit.set()
    await promise

    assert (was_answered, was_stored) == (False, {})


async def test_a_call_to_an_idle_runner_is_claimed_in_its_own_commit(desk: Desk) -> None:
    desk.writer.grant(1)
    desk.writer.set_functions(limits())
    await desk.barrier()
    desk.store.steps.clear()
    await desk.enqueue(call(id="x"))

    assert [running.id for running in desk.started()] == ["x"]
    assert desk.store.steps == ["begin", "insert", "claim", "commit"]


async def test_outcomes_come_first_then_requests_then_the_claim_then_logs(desk: Desk) -> None:
    desk.writer.grant(5)
    desk.writer.set_functions(limits())
    await desk.enqueue(call(id="x"))
    (running,) = desk.started()
    with desk.shut():
        desk.writer.write_logs([LogChunk(running.seq, 1, 0, b"\x90")])
        promise = desk.promise(call(id="y"))
        desk.writer.settle([succeed(running)])
    await promise
    await desk.until(lambda: bool(desk.applied))

    assert desk.store.steps == ["commit", "begin", "apply", "insert", "claim", "logs", "commit"]


async def test_what_is_asked_for_during_a_commit_shares_the_next_one(desk: Desk) -> None:
    with desk.shut():
        promises = [desk.promise(call()) for _ in range(200)]
    await asyncio.gather(*promises)

    assert desk.store.commits == 2
    assert len(desk.states()) == 200


async def test_a_crowd_of_calls_is_spread_over_commits(desk: Desk) -> None:
    with desk.shut():
        promises = [desk.promise(*(call() for _ in range(MOST_CALLS))) for _ in range(3)]
    await asyncio.gather(*promises)

    assert desk.store.commits == 4


async def test_a_crowd_of_calls_that_the_loop_is_told_of_is_spread_over_commits_too(desk: Desk) -> None:
    with desk.shut():
        inserts = [desk.writer.insert([call() for _ in range(MOST_CALLS)]) for _ in range(3)]
    results = await asyncio.gather(*inserts)

    assert [len(stored) for stored in results] == [MOST_CALLS] * 3
    assert desk.store.commits == 4


async def test_calls_of_requests_in_a_row_are_stored_at_once_and_each_request_gets_its_own_results(desk: Desk) -> None:
    with desk.shut():
        before = len(desk.store.steps)
        asked = [desk.promise(call(id="a"), call(id="b")), desk.writer.insert([]), desk.writer.insert([call(id="c")])]
        between = desk.writer.submit(lambda store: store.cancel("c"))
        asked.append(desk.writer.insert([call(id="b"), call("other", id="a")]))
    told = await asyncio.gather(*asked)

    assert await between is not None
    assert desk.store.steps[before:].count("insert") == 2
    assert [[(one.id, getattr(one, "is_new", None)) for one in results] for results in told] == [
        [("a", True), ("b", True)],
        [],
        [("c", True)],
        [("b", False), ("a", None)],
    ]


async def test_requests_are_done_in_the_order_they_came(desk: Desk) -> None:
    with desk.shut():
        inserted = desk.promise(call(id="x"))
        cancelled = desk.writer.submit(lambda store: store.cancel("x"))
    await inserted

    assert await cancelled is not None


async def test_a_request_that_fails_undoes_itself_alone(desk: Desk) -> None:
    def fail(store: Any) -> None:
        store.insert([call(id="undone")])
        raise CallRefused("no")

    with desk.shut():
        before = desk.promise(call(id="before"))
        failing = desk.writer.submit(fail)
        after = desk.promise(call(id="after"))
    await asyncio.gather(before, after)
    with pytest.raises(CallRefused, match="no"):
        await failing

    assert desk.states() == {"before": State.CREATED, "after": State.CREATED}


async def test_a_bug_in_a_request_harms_no_other(desk: Desk) -> None:
    with desk.shut():
        failing = desk.writer.submit(lambda store: 1 / 0)
        good = desk.promise(call(id="x"))
    await good
    with pytest.raises(ZeroDivisionError):
        await failing

    assert desk.states() == {"x": State.CREATED}


async def test_a_request_nobody_waits_for_any_more_is_done_all_the_same(desk: Desk) -> None:
    with desk.shut():
        desk.writer.submit(lambda store: store.insert([call(id="x")])).cancel()
    await desk.barrier()

    assert desk.states() == {"x": State.CREATED}


async def test_a_claim_is_told_before_the_answers_of_its_commit(desk: Desk) -> None:
    desk.writer.grant(1)
    desk.writer.set_functions(limits())
    await desk.enqueue(call(id="x"))

    assert [running.id for running in desk.started()] == ["x"]


async def test_a_claim_takes_no_more_than_was_granted(desk: Desk) -> None:
    desk.writer.set_functions(limits())
    desk.writer.grant(2)
    await desk.enqueue(*(call() for _ in range(5)))

    assert len(desk.started()) == 2
    assert desk.writer.free_slots == 0


async def test_slots_below_none_claim_nothing(desk: Desk) -> None:
    desk.writer.set_functions(limits())
    desk.writer.grant(-3)
    await desk.enqueue(call())
    desk.writer.grant(3)
    await desk.barrier()
    before = len(desk.started())
    desk.writer.grant(1)
    await desk.barrier()

    assert (before, len(desk.started())) == (0, 1)


async def test_a_slot_given_back_claims_again(desk: Desk) -> None:
    desk.writer.set_functions(limits())
    desk.writer.grant(1)
    await desk.enqueue(call(id="x"), call(id="y"))
    desk.writer.grant(1)
    await desk.until(lambda: len(desk.started()) == 2)

    assert [running.id for running in desk.started()] == ["x", "y"]


async def test_a_second_outcome_of_an_attempt_is_refused(desk: Desk) -> None:
    desk.writer.set_functions(limits())
    desk.writer.grant(1)
    await desk.enqueue(call(id="x"))
    (running,) = desk.started()
    desk.writer.settle([succeed(running), retry(running)])
    await desk.until(lambda: len(desk.applied) == 2)

    assert desk.applied == [("x", True), ("x", False)]
    assert desk.states() == {"x": State.SUCCEED}


async def test_an_outcome_survives_a_store_that_refuses_for_a_while(desk: Desk) -> None:
    desk.writer.set_functions(limits())
    desk.writer.grant(1)
    await desk.enqueue(call(id="x"))
    (running,) = desk.started()
    desk.store.failure = StoreError("the disk is full")
    desk.writer.settle([succeed(running)])
    with pytest.raises(StoreError, match="full"):
        await desk.enqueue(call(id="refused"))
    was_idle = desk.writer.is_idle
    desk.store.failure = None
    await desk.until(lambda: bool(desk.applied))

    assert was_idle is False
    assert desk.states() == {"x": State.SUCCEED}


async def test_a_failure_of_the_store_is_told_to_everybody_in_the_commit(desk: Desk) -> None:
    with desk.shut():
        promises = [desk.promise(call()) for _ in range(3)]
        desk.store.failure = ValueError("odd")
    told = await asyncio.gather(*promises, return_exceptions=True)
    desk.store.failure = None

    assert [str(error) for error in told] == ["the store failed: ValueError: odd"] * 3
    assert desk.fatal == []


async def test_after_a_fatal_failure_nothing_more_is_written(desk: Desk) -> None:
    desk.store.failure = DAMAGED
    with pytest.raises(StoreError):
        await desk.enqueue(call(id="x"))
    desk.store.failure = None
    with pytest.raises(StoreError, match="damaged"):
        await desk.enqueue(call(id="later"))

    assert desk.states() == {}


async def test_after_a_fatal_failure_the_store_is_left_as_it_is(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "defer.db")
    desk.writer.start()
    desk.store.failure = DAMAGED
    with pytest.raises(StoreError):
        await desk.enqueue(call())
    await desk.writer.stop()

    assert desk.store.steps[-1] == "abandon"


async def test_a_checkpoint_that_fails_for_good_stops_the_runner(desk: Desk) -> None:
    desk.store.checkpoint_failure = DAMAGED
    await desk.barrier()
    await desk.until(lambda: bool(desk.fatal))
    desk.store.checkpoint_failure = None

    assert desk.fatal == [DAMAGED]
    with pytest.raises(StoreError, match="damaged"):
        await desk.barrier()


async def test_a_checkpoint_that_fails_for_now_harms_nothing(desk: Desk) -> None:
    desk.store.checkpoint_failure = StoreError("the disk is full")
    await desk.barrier()
    await desk.barrier()

    assert desk.fatal == []


async def test_the_writer_is_idle_only_when_its_answers_have_been_given(desk: Desk) -> None:
    promise = desk.promise(call())
    was_idle = desk.writer.is_idle
    await promise
    await desk.barrier()

    assert (was_idle, desk.writer.is_idle) == (False, True)


async def test_a_stop_writes_what_was_asked_for(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "defer.db")
    desk.writer.start()
    promise = desk.promise(*(call() for _ in range(10)))
    await desk.writer.stop()
    await promise

    assert len(desk.states()) == 10


async def test_logs_of_a_commit_reach_the_store(desk: Desk) -> None:
    desk.writer.set_functions(limits())
    desk.writer.grant(1)
    await desk.enqueue(call(id="x"))
    (running,) = desk.started()
    desk.writer.write_logs([LogChunk(running.seq, 1, 0, LINE)])
    await desk.barrier()
    assert desk.lines("x") == ["a"]


async def test_logs_of_a_commit_that_was_refused_are_kept(desk: Desk) -> None:
    seq = await started(desk, "x")
    desk.store.failure = StoreError("the disk is full")
    desk.writer.write_logs([LogChunk(seq, 1, 0, LINE)])
    with pytest.raises(StoreError):
        await desk.barrier()
    desk.store.failure = None
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not desk.lines("x"):
            await desk.barrier()

    assert desk.lines("x") == ["a"]


async def test_logs_the_store_never_takes_do_not_hold_up_a_stop(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "defer.db")
    desk.writer.start()
    desk.store.logs_failure = StoreError("the disk is full")
    desk.writer.write_logs([LogChunk(1, 1, 0, LINE)])
    await asyncio.wait_for(desk.writer.stop(), DEADLINE_SECONDS)

    assert desk.store.steps[-1] == "close"


async def test_logs_the_store_has_no_room_for_hold_up_nothing_else(desk: Desk) -> None:
    seq = await started(desk, "x")
    desk.store.logs_failure = StoreError("the disk is full")
    with desk.shut():
        desk.writer.write_logs([LogChunk(seq, 1, 0, LINE)])
        refused = desk.writer.submit(lambda store: None)
    with pytest.raises(StoreError):
        await refused
    await desk.enqueue(call(id="y"))

    assert "y" in desk.states()


async def test_logs_the_store_cannot_keep_are_dropped_alone(desk: Desk) -> None:
    seq = await started(desk, "x")
    desk.store.logs_failure = OverflowError("a number is too large")
    desk.writer.write_logs([LogChunk(seq, 1, 0, LINE)])
    await desk.barrier()
    desk.store.logs_failure = None
    desk.writer.write_logs([LogChunk(seq, 1, 1, LINE)])
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not desk.lines("x"):
            await desk.barrier()

    assert desk.lines("x") == ["a"]


async def test_a_flood_of_logs_is_spread_over_commits(desk: Desk) -> None:
    with desk.shut():
        desk.writer.write_logs([LogChunk(1, 1, part, bytes(1 << 19)) for part in range(6)])
    async with asyncio.timeout(DEADLINE_SECONDS):
        while sum(desk.store.chunks) < 6:
            await desk.barrier()

    assert desk.store.chunks == [2, 2, 2]


async def started(desk: Desk, id: str) -> int:
    """Enqueue and claim one execution; return its ``seq``."""
    desk.writer.set_functions(limits())
    desk.writer.grant(1)
    await desk.enqueue(call(id=id))
    (running,) = desk.started()
    return int(running.seq)
