"""A dispatcher between a writer that only notes and workers that are no processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec import Struct

from defer_cli.domain.function import FunctionOptions, FunctionSpec
from defer_cli.domain.settle import Move, Running
from defer_cli.engine.dispatcher import Dispatcher
from defer_cli.engine.events import Event
from defer_cli.link.frames import (
    Cancel,
    Ended,
    Failure,
    FrameError,
    Order,
    OutcomeItem,
    Outcomes,
    Reply,
    Retract,
    Stands,
    Start,
    StartItem,
    encode_frame,
)
from defer_cli.store.contract import Claim, Limit, Store
from defer_cli.store.writer import Writer
from defer_cli.workers.pool import Crew, Pool
from defer_cli.workers.process import WorkerProcess

NOW = 1_767_268_800_000_000
SLOTS = 10


class FakeStore:
    """Knows the marked children it was told of, and whether runners have died again and again."""

    def __init__(self) -> None:
        self.marked: dict[str, dict[bytes, int]] = {}
        self.went_on: list[int] = []
        self.has_suspects = False
        self.looks = 0

    def marked_children(self, parents: Sequence[str]) -> dict[str, dict[bytes, int]]:
        return {parent: self.marked[parent] for parent in parents if parent in self.marked}

    def go_on(self, *, seq: int, attempt: int) -> bool:
        self.went_on.append(seq)
        return True

    def has_runner_suspects(self) -> bool:
        self.looks += 1
        return self.has_suspects


class FakeWriter:
    """Notes what it is asked to write; requests are answered at the next turn of the loop."""

    def __init__(self) -> None:
        self.granted = 0
        self.granted_isolated = 0
        self.moves: list[Move] = []
        self.functions: Mapping[str, Limit] = {}
        self.store = FakeStore()
        self.wakes = 0
        self.is_idle = True
        self.failure: Exception | None = None

    def grant(self, slots: int) -> None:
        self.granted += slots

    def grant_isolated(self, places: int) -> None:
        self.granted_isolated += places

    def set_functions(self, functions: Mapping[str, Limit]) -> None:
        self.functions = functions

    def settle(self, moves: Sequence[Move]) -> None:
        self.moves += moves

    def submit(self, work: Callable[[Store], Any]) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        if self.failure is not None:
            loop.call_soon(future.set_exception, self.failure)
        else:
            loop.call_soon(future.set_result, work(cast("Store", self.store)))
        return future

    def wake(self) -> None:
        self.wakes += 1


class FakeWorker(WorkerProcess):
    """Keeps what it is sent; ends when it is killed."""

    def __init__(self, number: int, on_exit: Callable[[WorkerProcess], None]) -> None:
        super().__init__(number=number, on_frame=lambda worker, frame: None, on_exit=on_exit)
        self.is_ready = True
        self.has_joined = True
        self.sent: list[Struct] = []
        self.was_started = asyncio.Event()
        self.was_cancelled = asyncio.Event()
        self.was_killed = asyncio.Event()

    @property
    def pid(self) -> int:
        return 1_000 + self.number

    def send(self, message: Struct) -> None:
        assert isinstance(message, Reply)
        self._take(message)

    def order(self, message: Struct) -> None:
        assert isinstance(message, Order)
        self._take(message)
        if isinstance(message, Cancel):
            self.was_cancelled.set()
        elif isinstance(message, Start):
            self.was_started.set()

    def _take(self, message: Struct) -> None:
        encode_frame(message)
        self.sent.append(message)

    def kill(self) -> None:
        self.was_killed.set()

    def die(self, cause: str = "exited with code 1") -> None:
        self.exit_cause = self.exit_cause or cause
        self._on_exit(self)

    @property
    def started(self) -> list[StartItem]:
        return [item for frame in self.sent if isinstance(frame, Start) for item in frame.items]

    @property
    def held(self) -> list[tuple[int, int]]:
        """The commit and the ``seq`` of each attempt it is to hold."""
        frames = [frame for frame in self.sent if isinstance(frame, Start) and frame.commit]
        return [(frame.commit, item.seq) for frame in frames for item in frame.items]

    @property
    def told(self) -> list[int]:
        """The commits it was told stand."""
        return [frame.commit for frame in self.sent if isinstance(frame, Stands)]

    @property
    def retracted(self) -> list[int]:
        return [frame.commit for frame in self.sent if isinstance(frame, Retract)]

    @property
    def cancelled(self) -> list[int]:
        return [item.seq for frame in self.sent if isinstance(frame, Cancel) for item in frame.items]

    @property
    def ended(self) -> list[str]:
        """The awaited executions whose end it was told."""
        return [frame.id for frame in self.sent if isinstance(frame, Ended)]

    @property
    def refusals(self) -> list[Failure]:
        return [frame for frame in self.sent if isinstance(frame, Failure)]


class Outside:
    """A caller at the socket: keeps what it is sent."""

    def __init__(self) -> None:
        self.sent: list[Struct] = []

    def send(self, message: Struct) -> None:
        self.sent.append(message)


class FakePool:
    """One crew of fake workers, and processes beyond it, which start when they are let."""

    def __init__(self, specs: Sequence[FunctionSpec]) -> None:
        self.crew = Crew(specs, project=Path("/p"), folder=Path("/p/defer"))
        self.left: list[WorkerProcess] = []
        self.alone: list[FakeWorker] = []
        self.stand_ins = 0
        self.trims = 0
        self.may_start = asyncio.Event()
        self.may_start.set()
        self.failure: OSError | None = None
        self.on_exit: Callable[[WorkerProcess], None]

    async def start_alone(self, crew: Crew) -> WorkerProcess | None:
        await self.may_start.wait()
        if self.failure is not None:
            raise self.failure
        worker = FakeWorker(100 + len(self.alone), self.on_exit)
        worker.is_alone, worker.has_joined = True, False
        self.alone.append(worker)
        return worker

    @property
    def specs(self) -> dict[str, FunctionSpec]:
        return self.crew.specs

    def route(self, function: str) -> Crew | None:
        return self.crew if function in self.crew.specs else None

    def stand_in_for(self, worker: WorkerProcess) -> None:
        self.stand_ins += 1

    def trim_later(self) -> None:
        self.trims += 1

    def leave_if_done(self, worker: WorkerProcess) -> None:
        if not worker.assigned:
            self.left.append(worker)


class FakeListener:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.moves: list[Move] = []

    def settled(self, moves: Sequence[Move]) -> None:
        self.moves += moves

    def tell(self, event: Event) -> None:
        self.events.append(event)


def spec(name: str = "compute", **options: Any) -> FunctionSpec:
    return FunctionSpec(
        name=name,
        kind="function",
        module=f"defer.{name}",
        file=f"defer/{name}.py",
        line=1,
        options=FunctionOptions(**options),
    )


def running(seq: int = 1, *, function: str = "compute", attempt: int = 1, **fields: Any) -> Running:
    fields = {"charged": 0, "scheduled_us": NOW, "started_us": NOW} | fields
    return Running(seq, f"id{seq}", function, attempt, **fields)


class Stage:
    """The dispatcher and what stands around it."""

    def __init__(self, *specs: FunctionSpec, workers: int = 2, slots: int = SLOTS, has_suspects: bool = False) -> None:
        self.writer = FakeWriter()
        self.pool = FakePool(specs or [spec()])
        self.listener = FakeListener()
        self.now_us = NOW
        self._waits = 0
        self.writer.store.has_suspects = has_suspects
        self.dispatcher = Dispatcher(
            slots=slots, has_suspects=has_suspects, listener=self.listener, clock=lambda: self.now_us
        )
        self.dispatcher.attach(cast("Writer", self.writer), cast("Pool", self.pool))
        self.pool.on_exit = self.dispatcher.worker_died
        self.dispatcher.set_functions(self.pool.specs)
        for _ in range(workers):
            self.join()

    @property
    def workers(self) -> list[FakeWorker]:
        return cast("list[FakeWorker]", self.pool.crew.workers)

    def join(self) -> FakeWorker:
        worker = FakeWorker(len(self.workers) + 1, self._exited)
        self.pool.crew.workers.append(worker)
        self.dispatcher.worker_ready(worker)
        return worker

    def _exited(self, worker: WorkerProcess) -> None:
        if worker in self.pool.crew.workers:
            self.pool.crew.workers.remove(worker)
        self.dispatcher.worker_died(worker)

    def claim(self, *started: Running) -> None:
        isolated = sum(one.isolation > 0 for one in started)
        self.writer.granted -= len(started) - isolated
        self.writer.granted_isolated -= isolated
        self.dispatcher.claimed(Claim(list(started), [], isolated=isolated))

    def announce(self, commit: int, *started: Running) -> Claim:
        """Have the writer claim in a commit that is still on its way; return it."""
        self.writer.granted -= sum(running.isolation <= 0 for running in started)
        self.writer.granted_isolated -= sum(running.isolation > 0 for running in started)
        claim = Claim(list(started), [])
        self.dispatcher.claimed_ahead(commit, claim)
        return claim

    def wait(self, seq: int, id: str, function: str = "compute") -> int:
        """Have an attempt wait for an execution that has not ended; return the number of the wait."""
        self._waits += 1
        worker = next(worker for worker in (*self.workers, *self.pool.alone) if seq in worker.assigned)
        waiter = self.dispatcher.waiting.add(worker, self._waits, id, seq=seq)
        self.dispatcher.standstill.found(waiter, function)
        return self._waits

    def end(self, id: str) -> None:
        """Say that an execution has succeeded."""
        self.dispatcher.waiting.ended(id, "succeed", b"1", None)

    def report(self, worker: WorkerProcess, *items: OutcomeItem) -> None:
        self.dispatcher.take(worker, Outcomes(list(items)))

    def commit(self, *, applied: bool = True) -> list[Move]:
        """Say that what was settled so far is on disk."""
        moves, self.writer.moves = self.writer.moves, []
        self.dispatcher.applied(moves, [applied] * len(moves))
        return moves

    def moves(self) -> list[tuple[str, str]]:
        """Return (id, name) of the moves that wait to be written."""
        return [(move.id, move.name) for move in self.writer.moves]


async def until(is_so: Callable[[], Any]) -> None:
    """Let the loop turn until something is so."""
    for _ in range(1_000):
        if is_so():
            return
        await asyncio.sleep(0)
    pytest.fail("it never came to that")


def returned(seq: int = 1, *, attempt: int = 1, result: bytes | None = b"1") -> OutcomeItem:
    return OutcomeItem(seq, attempt, result)


def raised(seq: int = 1, *, attempt: int = 1, is_retryable: bool = True) -> OutcomeItem:
    return OutcomeItem(seq, attempt, None, FrameError("ValueError", "no", "", "defer/compute.py:3", is_retryable))
