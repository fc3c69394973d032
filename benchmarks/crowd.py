"""A store with many executions of every kind, as weeks of a busy application would leave it."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.execution import ErrorCode, ExecutionError, to_moment
from defer_cli.domain.ids import encode_id
from defer_cli.domain.paging import Filters, Interval
from defer_cli.domain.settle import Move, Running
from defer_cli.domain.states import State
from defer_cli.store.contract import Limit, Store, Tick
from defer_cli.store.sqlite.store import SqliteStore, open_store

BEGAN_US = 1_760_000_000_000_000
SPAN_US = 30 * 86_400 * 1_000_000
FUNCTIONS = [f"function_{number}" for number in range(20)]
RARE = "rare_function"
RUNNERS = ["host-a-1", "host-a-2", "host-b-3"]
_BATCH = 500
_LIMITS = dict.fromkeys([*FUNCTIONS, RARE, "nightly"], Limit())
_ERROR = ExecutionError(code=ErrorCode.RAISED, type="ValueError", message="no", traceback="Traceback …")


class Crowd:
    """Fills a store under a clock of its own; the same seed gives the same store."""

    def __init__(self, path: Path, count: int, *, seed: int = 1) -> None:
        self.path = path
        self.count = count
        self.now_us = BEGAN_US
        self.store: SqliteStore = open_store(path, clock=lambda: self.now_us)
        self._dice = random.Random(seed)
        self._made = 0

    def fill(self) -> None:
        """Make all executions: most have ended, the newest twentieth waits or runs."""
        for number, name in enumerate(RUNNERS):
            with self.store.transaction():
                self.store.start_runner(name=name, pid=number, version="0")
            self.add(self.count * (number + 1) // len(RUNNERS) - self._made, runner=name)
        while settle(self.store):
            pass
        self.store.checkpoint()

    def add(self, count: int, *, runner: str = RUNNERS[-1]) -> None:
        """Make ``count`` more, as ``runner`` would run them."""
        for _ in range(0, count, _BATCH):
            size = min(_BATCH, count)
            count -= size
            self.now_us += SPAN_US * size // self.count
            with self.store.transaction():
                self.store.insert([self._call() for _ in range(size)])
                if self._made % 10_000 < _BATCH:
                    self._tick()
            if self._made > self.count * 19 // 20:
                continue
            self._run(runner)
        if self.store.checkpoint_is_due():
            self.store.checkpoint()

    def _run(self, runner: str) -> None:
        with self.store.transaction():
            claim = self.store.claim(limit=_BATCH * 2, runner=runner, functions=_LIMITS)
        self.now_us += 1_000
        with self.store.transaction():
            self.store.apply([self._move(running) for running in claim.started if self._dice.random() < 0.9999])

    def _call(self) -> Enqueue:
        dice, number = self._dice, self._made
        self._made += 1
        draw = dice.random()
        function = RARE if draw < 0.0002 else FUNCTIONS[int(draw * len(FUNCTIONS))]
        return Enqueue(
            encode_id(dice.getrandbits(128)),
            function,
            f"[{number}]".encode(),
            self.now_us,
            scheduled_us=self.now_us + dice.randrange(86_400_000_000) if dice.random() < 0.01 else None,
            metadata={"user": str(number % 5_000), "plan": dice.choice(["free", "pro", "team"])}
            if dice.random() < 0.3
            else None,
            came_from="rerun" if dice.random() < 0.001 else "call",
        )

    def _tick(self) -> None:
        call = Enqueue(encode_id(self._dice.getrandbits(128)), "nightly", b"[]", self.now_us, came_from="tick")
        self.store.fire([Tick("nightly", "0 0 * * *", self.now_us, call)])

    def _move(self, running: Running) -> Move:
        source, at = State.STARTED, self.now_us
        draw = self._dice.random()
        lease = (running.seq, running.id, running.attempt, source)
        if draw > 0.02:
            return Move("succeed", *lease, State.SUCCEED, running.function, at, started_us=running.started_us)
        if draw > 0.01 and running.charged == 0:
            later = at + 30_000_000
            return Move("retry", *lease, State.CREATED, running.function, at, running.started_us, running.scheduled_us,
                        later, is_delayed=True, charged=1, error=_ERROR)  # fmt: skip
        code = ErrorCode.MAX_DURATION if draw < 0.0005 else ErrorCode.RAISED
        error = ExecutionError(code=code, type="ValueError", message="no")
        return Move("fail", *lease, State.FAILED, running.function, at, running.started_us, error=error)


def settle(store: Store) -> int:
    """Narrow what searches know, as a runner does while it lives."""
    with store.transaction():
        return store.settle_blocks(limit=256)


def each_filter(now_us: int) -> dict[str, Filters]:
    """Return every filter by itself, with many matches, few, and far away ones."""
    now, began = to_moment(now_us), to_moment(BEGAN_US)

    def days(first: float, last: float) -> Interval:
        return Interval(from_=began + timedelta(days=first), to=began + timedelta(days=last))

    return {
        "none": Filters(),
        "state succeed": Filters(states=["succeed"]),
        "state created": Filters(states=["created"]),
        "state started": Filters(states=["started"]),
        "state failed": Filters(states=["failed"]),
        "state cancelled (none)": Filters(states=["cancelled"]),
        "states failed, started": Filters(states=["failed", "started"]),
        "function": Filters(functions=[FUNCTIONS[3]]),
        "rare function": Filters(functions=[RARE]),
        "all functions": Filters(functions=FUNCTIONS),
        "error code ER0003": Filters(error_codes=["ER0003"]),
        "error code ER0001 (rare)": Filters(error_codes=["ER0001"]),
        "scheduled, newest day": Filters(scheduled_at=Interval(from_=now - timedelta(days=1))),
        "scheduled, an hour long ago": Filters(scheduled_at=days(3, 3.04)),
        "scheduled, first day": Filters(scheduled_at=days(0, 1)),
        "started, newest day": Filters(started_at=Interval(from_=now - timedelta(days=3))),
        "started, an hour long ago": Filters(started_at=days(3, 3.04)),
        "started, first day": Filters(started_at=days(0, 1)),
        "metadata user (few)": Filters(metadata={"user": ["77"]}),
        "metadata plan (many)": Filters(metadata={"plan": ["pro"]}),
        "metadata plan, two values": Filters(metadata={"plan": ["pro", "team"]}),
        "executed by the first runner": Filters(executed_by=RUNNERS[0]),
        "came from ticks": Filters(came_from=["tick"]),
        "came from reruns": Filters(came_from=["rerun"]),
    }


def combinations(now_us: int) -> dict[str, Filters]:
    """Return filters that must hold together, from helpful to hopeless."""
    alone = each_filter(now_us)
    long_ago = alone["started, an hour long ago"].started_at
    return {
        "function and failed": Filters(functions=[FUNCTIONS[3]], states=["failed"]),
        "rare function and failed": Filters(functions=[RARE], states=["failed"]),
        "failed long ago": Filters(states=["failed"], started_at=long_ago),
        "user and failed": Filters(metadata={"user": ["77"]}, states=["failed"]),
        "plan and rare function": Filters(metadata={"plan": ["pro"]}, functions=[RARE]),
        "user and plan": Filters(metadata={"user": ["77"], "plan": ["pro"]}),
        "plan and error code ER0001": Filters(metadata={"plan": ["pro"]}, error_codes=["ER0001"]),
        "tick and created": Filters(came_from=["tick"], states=["created"]),
        "first runner, failed, all functions": Filters(executed_by=RUNNERS[0], states=["failed"], functions=FUNCTIONS),
        "nothing: rerun, ER0001, long ago": Filters(came_from=["rerun"], error_codes=["ER0001"], started_at=long_ago),
    }


Ask = Callable[[Filters], object]
