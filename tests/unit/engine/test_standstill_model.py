"""Random executions that wait for each other never stand still, and no wait is refused that could have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

import pytest

from defer_cli.engine.waiting import Waiter
from defer_cli.link.frames import Ended, Failure
from tests.unit.engine.harness import FakeWorker, Stage, returned, running, spec

STEPS = 150
MOST_EXECUTIONS = 60


@dataclass(eq=False)
class One:
    """An execution as the model sees it."""

    seq: int
    function: str
    state: str = "created"
    waits: dict[int, Waiter] = field(default_factory=dict)
    """What it has not been answered yet, by number; an answer may be held back until there is a slot."""

    @property
    def id(self) -> str:
        return f"id{self.seq}"

    @property
    def open_waits(self) -> set[str]:
        """The executions it waits for whose end is not known yet."""
        return {waiter.id for waiter in self.waits.values() if not waiter.is_over}


class World:
    """A real dispatcher, and beside it all that a claim, workers and user code would do, in random order."""

    def __init__(self, dice: Random) -> None:
        self.dice = dice
        names = [f"f{number}" for number in range(dice.randint(1, 4))]
        self.limits = {name: dice.choice([None, 1, 1, 2]) for name in names}
        self.slots = dice.choice([1, 2, 10])
        specs = [spec(name, concurrency=limit) for name, limit in self.limits.items()]
        self.stage = Stage(*specs, workers=dice.choice([1, 2]), slots=self.slots)
        self.all: dict[str, One] = {}
        self.unseen: list[tuple[Waiter, str]] = []
        self.read: dict[FakeWorker, int] = dict.fromkeys(self.stage.workers, 0)
        self.number = 0
        self.refuse = self.stage.dispatcher.waiting.refuse
        self.stage.dispatcher.waiting.refuse = self.refused  # type: ignore[method-assign]

    def call(self, function: str) -> One:
        one = One(len(self.all) + 1, function)
        self.all[one.id] = one
        return one

    def in_state(self, state: str) -> list[One]:
        return [one for one in self.all.values() if one.state == state]

    # What can happen next.

    def startable(self) -> list[One]:
        """The first in the queue of each function that has room."""
        heads: dict[str, One] = {}
        for one in self.in_state("created"):
            heads.setdefault(one.function, one)
        held = {name: sum(one.function == name for one in self.in_state("started")) for name in self.limits}
        return [one for name, one in heads.items() if (limit := self.limits[name]) is None or held[name] < limit]

    def going(self) -> list[One]:
        """Those whose code runs: it was handed out, and waits for nothing."""
        return [one for one in self.in_state("started") if not one.waits and self.worker_of(one)]

    def worker_of(self, one: One) -> FakeWorker | None:
        return next((worker for worker in self.stage.workers if one.seq in worker.assigned), None)

    # What happens.

    def start(self, one: One) -> None:
        one.state = "started"
        self.stage.claim(running(one.seq, function=one.function))

    def end(self, one: One) -> None:
        worker = self.worker_of(one)
        assert worker is not None
        one.state, one.waits = "ended", {}
        self.stage.report(worker, returned(one.seq))
        self.stage.commit()
        self.listen()

    def wait(self, one: One, others: list[One]) -> None:
        worker = self.worker_of(one)
        assert worker is not None
        for other in others:
            self.number += 1
            waiter = self.stage.dispatcher.waiting.add(worker, self.number, other.id, seq=one.seq)
            one.waits[self.number] = waiter
            self.unseen.append((waiter, other.id))
        self.listen()

    def look(self) -> None:
        """The store answers for the wait that was begun first."""
        waiter, id = self.unseen.pop(0)
        if waiter.is_over:
            return
        if self.all[id].state == "ended":
            self.stage.dispatcher.waiting.ended(id, "succeed", None, None)
        else:
            self.stage.dispatcher.standstill.found(waiter, self.all[id].function)
        self.listen()

    def cut(self, one: One) -> None:
        """One of the waits is over for its own code."""
        worker = self.worker_of(one)
        assert worker is not None
        number = self.dice.choice(list(one.waits))
        del one.waits[number]
        self.stage.dispatcher.waiting.cut(worker, number)
        self.listen()

    def listen(self) -> None:
        """Workers take what they were sent; who is refused ends, as after a gather."""
        for worker, was_read in self.read.items():
            frames = worker.sent[was_read:]
            self.read[worker] += len(frames)
            for frame in frames:
                if isinstance(frame, Ended | Failure):
                    self.answered(frame)

    def answered(self, frame: Ended | Failure) -> None:
        one = next((one for one in self.all.values() if frame.number in one.waits), None)
        if one is not None:
            del one.waits[frame.number]

    def refused(self, waiters: Iterable[Waiter], why: Callable[[Waiter], BaseException]) -> None:
        waiters = list(waiters)
        (assigned,) = {waiter.assigned for waiter in waiters}
        assert assigned is not None
        one = self.all[assigned.running.id]
        assert one.open_waits == {waiter.id for waiter in waiters}
        assert not self.can_go_on(one), f"{one} was refused, and could go on: {self.all}"
        self.refuse(waiters, why)

    # What is true.

    def can_go_on(self, asked: One) -> bool:
        """Whether anything an execution waits for can end: worked out from what can, until nothing is added."""
        started = self.in_state("started")
        alive = {one.id for one in self.all.values() if one.state == "ended"}
        alive |= {one.id for one in started if not one.open_waits}
        while True:
            new = {one.id for one in started if one.open_waits & alive}
            for one in self.in_state("created"):
                limit = self.limits[one.function]
                holders = {other.id for other in started if other.function == one.function}
                if limit is None or len(holders) < limit or holders & alive:
                    new.add(one.id)
            if new <= alive:
                return bool(asked.open_waits & alive)
            alive |= new

    def check(self) -> None:
        """Something goes on, or nothing waits; and no worker has more to do than slots, but for cut waits."""
        is_moving = self.going() or self.unseen or self.startable()
        waiting = [one for one in self.in_state("started") if one.waits]
        assert is_moving or not waiting, f"standstill: {waiting}"

    async def step(self, *, is_last: bool) -> bool:
        """Do one thing; False when nothing is left to do."""
        dice, going = self.dice, self.going()
        startable = self.startable() if self.stage.writer.granted > 0 else []
        choices = ["end"] * bool(going) + ["start"] * len(startable) + ["look"] * bool(self.unseen)
        waiting = [one for one in self.in_state("started") if one.waits]
        if not is_last and len(self.all) < MOST_EXECUTIONS:
            choices += ["wait"] * (3 * len(going)) + ["call"] + ["cut"] * bool(waiting and dice.random() < 0.1)
        if not choices:
            return False
        match dice.choice(choices):
            case "end":
                self.end(dice.choice(going))
            case "start":
                self.start(dice.choice(startable))
            case "look":
                self.look()
            case "call":
                self.call(dice.choice(list(self.limits)))
            case "cut":
                self.cut(dice.choice(waiting))
            case "wait":
                others = [self.call(dice.choice(list(self.limits))) for _ in range(dice.randint(1, 3))]
                if dice.random() < 0.2:
                    others[0] = dice.choice(list(self.all.values()))
                self.wait(dice.choice(going), others)
        for _ in range(3):  # what was claimed without a free slot is handed out by way of the writer
            await asyncio.sleep(0)
        self.check()
        return True


@pytest.mark.parametrize("seed", range(60))
async def test_random_executions_never_stand_still(seed: int) -> None:
    world = World(Random(seed))
    for _ in range(3):
        world.call(world.dice.choice(list(world.limits)))
    for _ in range(STEPS):
        await world.step(is_last=False)
    while await world.step(is_last=True):
        pass

    assert {one.state for one in world.all.values()} == {"ended"}
    assert world.stage.dispatcher.waiting.attempts == []
    assert world.stage.writer.granted == world.slots * len(world.stage.workers)
