"""Aborts among everything else that can happen, in thousands of orders, on the real store with the real writer's turns.

What runs in parallel in a runner is stepped here: a commit, the news of it reaching the loop, and the loop's next
turn are three steps, and workers, callers and deaths come in between as the dice will have it.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.ids import random_id
from defer_cli.domain.retry import RetryPolicy
from defer_cli.domain.settle import Move
from defer_cli.domain.states import RUNNING_STATES, State
from defer_cli.engine.dispatcher import Dispatcher
from defer_cli.engine.isolated import PLACES
from defer_cli.engine.requests import Requests
from defer_cli.intake import Intake
from defer_cli.link.frames import Outcomes, Unwait, Wait
from defer_cli.reports import Reports
from defer_cli.store.sqlite import open_reader, open_store
from defer_cli.store.sqlite.store import SqliteStore
from defer_cli.store.turn import Turn
from defer_cli.store.writer import Writer
from defer_cli.workers.pool import Pool
from defer_cli.workers.process import Assigned, WorkerProcess
from tests.store.harness import NOON, newest
from tests.unit.engine.harness import FakeListener, FakePool, FakeWorker, raised, returned, spec

ROUNDS = int(os.environ.get("ABORT_ORDERS", "100"))
"""How many orders are drawn; each takes some 30 commits."""
STEPS = 60
SLOTS = 2
AT_ONCE = RetryPolicy(max_attempts=2, initial_interval=0)


class Steps:
    """A dispatcher and a writer without its thread: what happens next is drawn."""

    def __init__(self, store: SqliteStore, seed: int) -> None:
        self.dice = random.Random(seed)
        self.store = store
        self.done: list[str] = []
        self.listener = FakeListener()
        self.pool = FakePool([spec(retry=AT_ONCE), spec("one", retry=AT_ONCE, concurrency=1)])
        self.dispatcher = Dispatcher(slots=SLOTS, listener=self.listener, clock=store.now)
        self.writer = Writer(
            store,
            runner="a",
            on_claim=self.dispatcher.claimed,
            on_applied=self._applied,
            on_fatal=self._broke,
        )
        self.writer._loop = asyncio.get_running_loop()
        self.dispatcher.attach(self.writer, cast("Pool", self.pool))
        self.pool.on_exit = self.dispatcher.worker_died
        self.dispatcher.set_functions(self.pool.specs)
        self.requests = Requests(Intake(self.writer), self.dispatcher, cast("Reports", None))
        self.turns: list[Turn] = []
        self.workers: list[FakeWorker] = []
        self.ids: list[str] = []
        self.asked: list[tuple[str, asyncio.Task[Any]]] = []
        self.waits: list[tuple[WorkerProcess, int]] = []
        self.overtaken = 0

    def _broke(self, error: BaseException) -> None:
        raise AssertionError(self.done) from error

    def _applied(self, moves: Sequence[Move], applied: Sequence[bool]) -> None:
        self.overtaken += applied.count(False)
        self.dispatcher.applied(moves, applied)

    # What the writer's thread and the loop do.

    def commit(self) -> None:
        turn = self.writer._take()
        self.writer._write(turn)
        if turn.has_news:
            self.writer._handed_over += 1
            self.turns.append(turn)

    def deliver(self) -> None:
        if self.turns:
            self.writer._deliver(self.turns.pop(0))

    # What others do.

    def call(self) -> None:
        self.ids.append(random_id())
        function = self.dice.choice(["compute", "compute", "one"])
        call = Enqueue(self.ids[-1], function, b"[]", NOON)
        self.writer.enqueue([call], lambda results, error: None)

    def abort(self) -> None:
        if self.ids:
            id = self.dice.choice(self.ids)
            answer = self.requests.answer("cancel", {"ids": [id], "is_forced": True})
            self.asked.append((id, asyncio.create_task(answer)))

    def report(self) -> None:
        if (assigned := self._one_running()) is not None:
            running = assigned.running
            how = returned if self.dice.random() < 0.5 else raised
            item = how(running.seq, attempt=running.attempt)
            self.dispatcher.take(assigned.process, Outcomes([item]))

    def wait(self) -> None:
        if (assigned := self._one_running()) is not None:
            frame = Wait(len(self.done), self.dice.choice(self.ids), assigned.running.seq)
            self.requests.take(frame, assigned.process)
            self.waits.append((assigned.process, frame.number))

    def wait_no_longer(self) -> None:
        if self.waits:
            process, number = self.dice.choice(self.waits)
            self.requests.take(Unwait(number), process)

    def join(self) -> None:
        worker = FakeWorker(len(self.workers), lambda worker: None)
        self.workers.append(worker)
        self.pool.crew.workers.append(worker)
        self.dispatcher.worker_ready(worker)

    def retire(self) -> None:
        if self._living:
            worker = self.dice.choice(self._living)
            self.pool.crew.workers.remove(worker)
            self.dispatcher.worker_retired(worker)
            worker.is_retiring = True

    def die(self) -> None:
        if self._living:
            self._end(self.dice.choice(self._living))

    def die_alone(self) -> None:
        alone = [worker for worker in self.pool.alone if worker.assigned]
        if alone:
            self._end(self.dice.choice(alone))

    def run_over_its_time(self) -> None:
        assigned = self._one_running()
        if assigned is not None and not assigned.is_ending:
            self.dispatcher._endings._too_long(assigned)

    def outlast_the_grace(self) -> None:
        assigned = self._one_running()
        if assigned is not None and assigned.is_ending:
            self.dispatcher._deadlines._check_end(assigned)
            self._end(cast("FakeWorker", assigned.process))

    def _one_running(self) -> Assigned | None:
        running = list(self.dispatcher._assigned.values())
        return self.dice.choice(running) if running else None

    @property
    def _living(self) -> list[FakeWorker]:
        return cast("list[FakeWorker]", self.pool.crew.workers)

    def _end(self, worker: FakeWorker) -> None:
        if worker in self._living:
            self._living.remove(worker)
        worker.exit_cause = worker.exit_cause or "exited with code 1"
        self.dispatcher.worker_died(worker)

    async def go(self) -> None:
        """Do what the dice say, then bring everything to its end."""
        often = [self.commit, self.deliver, self.call, self.abort, self.report]
        seldom = [
            self.join,
            self.retire,
            self.die,
            self.die_alone,
            self.die_alone,
            self.wait,
            self.wait_no_longer,
            self.run_over_its_time,
            self.outlast_the_grace,
        ]
        for _ in range(STEPS):
            step = self.dice.choice(often * 4 + seldom)
            self.done.append(step.__name__)
            step()
            if self.dice.random() < 0.3:
                self.done.append("turn")
                await asyncio.sleep(0)
            if self.dispatcher.is_idle:  # a burst would end here
                assert self.store._session.counters.total(*RUNNING_STATES) == 0, self.done
        quiet = 0
        while quiet < 3:
            if not self._living:
                self.join()
            self.commit()
            while self.turns:
                self.deliver()
            await asyncio.sleep(0)
            for assigned in list(self.dispatcher._assigned.values()):
                item = returned(assigned.running.seq, attempt=assigned.running.attempt)
                self.dispatcher.take(assigned.process, Outcomes([item]))
            quiet = quiet + 1 if self.dispatcher.is_idle else 0


@pytest.mark.timeout(120 + ROUNDS // 10)
async def test_an_abort_that_was_accepted_ends_once_and_no_slot_is_lost(tmp_path: Path) -> None:
    store = open_store(tmp_path / "defer.db", clock=lambda: NOON)
    seen: Counter[str] = Counter()
    for seed in range(ROUNDS):
        steps = Steps(store, seed)
        await steps.go()
        seen += check(steps, tmp_path / "defer.db", f"round {seed}: {' '.join(steps.done)}")
    store.close()

    print(f"{ROUNDS:,} orders: {dict(seen)}")
    assert all(
        seen[word] > ROUNDS / 50 for word in ("aborted", "succeed", "refused", "overtaken", "never begun", "isolated")
    ), seen


def check(steps: Steps, path: Path, told: str) -> Counter[str]:
    """Hold what is on disk against what was promised; return what was seen."""
    reader = open_reader(path)
    stored = [one for one in newest(reader, limit=len(steps.ids) + 1) if one.id in steps.ids]
    left = [count for (_, state), count in reader.counts().items() if not state.is_final]
    reader.close()
    states = {one.id: one.state for one in stored}
    accepted, refused = set[str](), 0
    for id, task in steps.asked:
        (change,) = task.result()
        if change["execution"] is not None:
            assert change["execution"]["state"] in {"aborting", "cancelled"}, told
            assert id not in accepted, told
            accepted.add(id)
        else:
            refused += 1
    moves = [move for move in steps.listener.moves if move.target.is_final]
    starts = [(item.id, item.attempt) for worker in (*steps.workers, *steps.pool.alone) for item in worker.started]

    assert left == [], told
    assert len(states) == len(steps.ids), told
    assert {id for id, state in states.items() if state in {State.ABORTED, State.CANCELLED}} == accepted, told
    assert {move.id: move.target for move in moves} == {
        id: state for id, state in states.items() if state is not State.CANCELLED
    }, told
    assert max(Counter(move.id for move in moves).values(), default=1) == 1, told
    assert max(Counter(starts).values(), default=1) == 1, told
    assert steps.writer.free_slots == SLOTS * len(steps.pool.crew.workers), told
    assert steps.writer._granted_isolated - steps.writer._taken_isolated == PLACES, told
    assert steps.dispatcher.is_idle, told
    never_begun = [one for one in stored if one.state is State.ABORTED and (one.id, one.attempt) not in starts]
    return Counter[str](states.values()) + Counter(
        {
            "refused": refused,
            "overtaken": steps.overtaken,
            "never begun": len(never_begun),
            "isolated": sum(worker.begun for worker in steps.pool.alone),
        }
    )
