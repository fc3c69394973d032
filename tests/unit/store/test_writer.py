"""The writer shares commits, keeps their order, and answers nothing before they are on disk."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from defer_cli.domain.enqueue import Enqueue, Refused, Stored
from defer_cli.domain.errors import CallRefused, StoreError
from defer_cli.domain.log_chunk import LogChunk
from defer_cli.domain.settle import Move
from defer_cli.domain.states import State
from defer_cli.store.contract import Claim
from defer_cli.store.sqlite import open_reader, open_store
from defer_cli.store.sqlite.store import SqliteStore
from defer_cli.store.writer import MOST_CALLS, Writer
from tests.store.harness import NOON, call, limits, retry, succeed

_DEADLINE_SECONDS = 10


class Recorder:
    """The real store, with a note of what is done to it, and doors that can be held shut."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.steps: list[str] = []
        self.may_commit = threading.Event()
        self.may_commit.set()
        self.is_committing = threading.Event()
        self.failure: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.steps.append("begin")
        with self._store.transaction():
            yield
            if self.failure is not None:
                raise self.failure
            self.is_committing.set()
            assert self.may_commit.wait(_DEADLINE_SECONDS)
        self.steps.append("commit")

    def insert(self, calls: Sequence[Enqueue]) -> list[Stored | Refused]:
        self.steps.append("insert")
        return self._store.insert(calls)

    def apply(self, moves: Sequence[Move]) -> list[bool]:
        self.steps.append("apply")
        return self._store.apply(moves)

    def claim(self, **given: Any) -> Claim:
        self.steps.append("claim")
        return self._store.claim(**given)

    def append_logs(self, chunks: Sequence[LogChunk]) -> None:
        self.steps.append("logs")
        self._store.append_logs(chunks)

    @property
    def commits(self) -> int:
        return self.steps.count("commit")


class Desk:
    """A writer and everything it has told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = Recorder(open_store(path, clock=lambda: NOON))
        self.claims: list[Claim] = []
        self.applied: list[tuple[str, bool]] = []
        self.fatal: list[BaseException] = []
        self._told = asyncio.Event()
        self.writer = Writer(
            self.store,
            runner="a",
            on_claim=self._on_claim,
            on_applied=self._on_applied,
            on_fatal=self.fatal.append,
        )

    def _on_claim(self, claim: Claim) -> None:
        self.claims.append(claim)
        self._told.set()

    def _on_applied(self, moves: Sequence[Move], applied: Sequence[bool]) -> None:
        self.applied += [(move.id, was) for move, was in zip(moves, applied, strict=True)]
        self._told.set()

    def started(self) -> list[Any]:
        return [running for claim in self.claims for running in claim.started]

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while not is_so():
                self._told.clear()
                await self._told.wait()

    async def enqueue(self, *calls: Enqueue) -> list[Stored | Refused]:
        return await self.promise(*calls)

    def promise(self, *calls: Enqueue) -> asyncio.Future[list[Stored | Refused]]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Stored | Refused]] = loop.create_future()

        def on_done(results: list[Stored | Refused] | None, error: BaseException | None) -> None:
            if results is None:
                why = error or AssertionError("neither results nor an error")
                loop.call_soon_threadsafe(future.set_exception, why)
            else:
                loop.call_soon_threadsafe(future.set_result, results)

        self.writer.enqueue(calls, on_done)
        return future

    async def barrier(self) -> None:
        await self.writer.submit(lambda store: None)

    def states(self) -> dict[str, State]:
        reader = open_reader(self.path)
        try:
            return {execution.id: execution.state for execution in reader.executions(limit=1_000)}
        finally:
            reader.close()

    @contextmanager
    def shut(self) -> Iterator[None]:
        """Hold the next commit for the block."""
        self.store.is_committing.clear()
        self.store.may_commit.clear()
        self.writer.wake()
        assert self.store.is_committing.wait(_DEADLINE_SECONDS)
        self.store.steps.clear()
        yield
        self.store.may_commit.set()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path / "defer.db")
    desk.writer.start()
    yield desk
    desk.store.may_commit.set()
    await desk.writer.stop()


async def test_a_call_is_on_disk_when_it_is_answered(desk: Desk) -> None:
    (stored,) = await desk.enqueue(call(id="x"))

    assert isinstance(stored, Stored)
    assert desk.states() == {"x": State.CREATED}


async def test_nothing_is_answered_before_the_commit(desk: Desk) -> None:
    desk.store.may_commit.clear()
    promise = desk.promise(call(id="x"))
    assert await asyncio.to_thread(desk.store.is_committing.wait, _DEADLINE_SECONDS)
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


async def test_requests_are_done_in_the_order_they_came(desk: Desk) -> None:
    with desk.shut():
        inserted = desk.promise(call(id="x"))
        cancelled = desk.writer.submit(lambda store: store.cancel("x"))
    await inserted

    assert await cancelled is True


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


async def test_a_fatal_failure_stops_the_runner(desk: Desk) -> None:
    desk.store.failure = StoreError("damaged", is_fatal=True)
    with pytest.raises(StoreError):
        await desk.enqueue(call())
    desk.store.failure = None

    assert [str(error) for error in desk.fatal] == ["damaged"]


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
    line = b"\x91\x93\x01\xa6stdout\xa1a"
    desk.writer.write_logs([LogChunk(running.seq, 1, 0, line)])
    await desk.barrier()
    reader = open_reader(desk.path)
    kept = [line.text for line in reader.log_lines("x")]
    reader.close()

    assert kept == ["a"]
