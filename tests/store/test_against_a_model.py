"""Whatever is done in whatever order, a store does what a model of a few lines does."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from defer_cli.domain.execution import to_microseconds
from defer_cli.domain.history import HOUR_US, bucket_of
from defer_cli.domain.settle import Isolation, Move, Running
from defer_cli.domain.states import RUNNING_STATES, State
from defer_cli.store.contract import Limit, Store
from tests.store.harness import (
    ENGINES,
    SECOND,
    Clock,
    aborted,
    call,
    fail,
    interrupt,
    newest,
    retry,
    succeed,
    undone,
)

FUNCTIONS = ("a", "b", "c")
_SETS: list[dict[str, Limit]] = [
    {"a": Limit(), "b": Limit()},
    {"a": Limit(2), "b": Limit(), "c": Limit(1)},
    {"a": Limit(1, "cancel"), "b": Limit(2, "cancel"), "c": Limit()},
    {"a": Limit(3), "c": Limit(2, "cancel")},
]
_SETTLE: dict[str, Callable[..., Move]] = {
    "succeed": succeed,
    "fail": fail,
    "retry": retry,
    "interrupt": interrupt,
    "suspect": partial(interrupt, isolation=Isolation.SUSPECT),
    "charge": partial(retry, isolation=Isolation.KILLER),
}


@dataclass
class _Row:
    """What the model knows of one execution."""

    seq: int
    id: str
    function: str
    scheduled_us: int
    discard_us: int | None
    is_delayed: bool
    state: State = State.CREATED
    attempt: int = 0
    isolation: Isolation = Isolation.NONE
    losses: int = 0
    started_us: int = 0
    ended: list[str] = field(default_factory=list)

    @property
    def place(self) -> tuple[int, int]:
        return (self.scheduled_us, self.seq)


class _Model:
    """Executions in a list, and every rule written the slow and plain way."""

    def __init__(self) -> None:
        self.rows: list[_Row] = []

    def claim(
        self, functions: dict[str, Limit], limit: int, isolated: int, now: int
    ) -> tuple[list[str], int, set[str]]:
        """Return what is started, how many of that are isolated, and what ends."""
        alone: list[_Row] = []
        for row in self._due(now, is_isolated=True):
            is_free = row.function in functions and not self._is_full(row.function, functions)
            if is_free and len(alone) < isolated:
                self._start(row, now)
                alone.append(row)
        others, ended = self._claim_others(functions, limit, now)
        return [row.id for row in sorted(alone + others, key=lambda row: row.place)], len(alone), ended

    def _claim_others(self, functions: dict[str, Limit], limit: int, now: int) -> tuple[list[_Row], set[str]]:
        started: list[_Row] = []
        ended: set[str] = set()
        due = self._due(now, is_isolated=False)
        for row in due:
            if len(started) == limit:
                break
            if row.function not in functions or self._is_full(row.function, functions):
                continue
            if functions[row.function].concurrency == 1 and self._is_behind(row):
                continue
            if row.discard_us is not None and row.discard_us <= now and row.attempt == 0:
                row.state = State.DISCARDED
                ended.add(row.id)
                continue
            self._start(row, now)
            started.append(row)
        for row in due:
            is_cancelling = row.function in functions and functions[row.function].action == "cancel"
            is_met = self._is_full(row.function, functions) if is_cancelling else False
            if is_met and row.state is State.CREATED and row.attempt == 0:
                row.state = State.CANCELLED
                ended.add(row.id)
        return started, ended

    def _due(self, now: int, *, is_isolated: bool) -> list[_Row]:
        due = [
            row
            for row in self.rows
            if row.state is State.CREATED and row.scheduled_us <= now and (row.isolation > 0) is is_isolated
        ]
        return sorted(due, key=lambda row: row.place)

    def _start(self, row: _Row, now: int) -> None:
        row.state = State.STARTED
        row.attempt += 1
        row.started_us = now

    def _is_behind(self, row: _Row) -> bool:
        return any(
            other.function == row.function
            and other.state is State.CREATED
            and other.isolation > 0
            and other.place < row.place
            for other in self.rows
        )

    def take_back(self) -> None:
        """Do what a start does about a runner that has died."""
        started = [row for row in self.rows if row.state is State.STARTED]
        guilty = max(
            (row for row in started if row.isolation > 0 and row.losses >= 2),
            key=lambda row: (row.started_us, row.seq),
            default=None,
        )
        for row in started:
            if row is not guilty:
                row.state = State.CREATED
                row.losses += 1
                row.isolation = max(row.isolation, Isolation.SUSPECT) if row.losses >= 2 else row.isolation
        for row in self.rows:
            row.state = State.ABORTED if row.state is State.ABORTING else row.state

    def _is_full(self, function: str, functions: dict[str, Limit]) -> bool:
        concurrency = functions[function].concurrency
        running = sum(row.function == function and row.state in RUNNING_STATES for row in self.rows)
        return concurrency is not None and running >= concurrency


class StoreAndModel(RuleBasedStateMachine):
    """Does the same to both, and compares."""

    engine_name = "sqlite"

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._engine = ENGINES[self.engine_name](Path(self._folder.name))
        self._clock = Clock()
        self._store: Store = self._engine.open(self._clock)
        self._reader = self._engine.read()
        self._model = _Model()
        self._leases: list[Running] = []
        self._functions = _SETS[0]

    def teardown(self) -> None:
        self._reader.close()
        self._store.close()
        self._folder.cleanup()

    @rule(
        functions=st.lists(st.sampled_from(FUNCTIONS), min_size=1, max_size=6),
        delay=st.sampled_from([None, None, 1, 3]),
        discard=st.sampled_from([None, None, 2]),
        is_undone=st.booleans() | st.just(False),
    )
    def enqueue(self, functions: list[str], delay: int | None, discard: int | None, is_undone: bool) -> None:
        now = self._clock.now_us
        asked = None if delay is None else now + delay * SECOND
        discard_us = None if discard is None else now + discard * SECOND
        calls = [call(function, scheduled_us=asked, discard_us=discard_us) for function in functions]
        if is_undone:
            with undone(self._store.transaction()):
                self._store.insert(calls)
            return
        with self._store.transaction():
            self._store.insert(calls)
        rows = self._model.rows
        for one in calls:
            rows.append(_Row(len(rows), one.id, one.function, asked or now, discard_us, asked is not None))

    @initialize(chosen=st.sampled_from(_SETS))
    def load(self, chosen: dict[str, Limit]) -> None:
        self._functions = chosen

    @rule(
        functions=st.lists(st.sampled_from(FUNCTIONS), min_size=3, max_size=12),
        limit=st.integers(2, 12),
        names=st.lists(st.sampled_from([*_SETTLE, "nothing"]), min_size=12, max_size=12),
        seconds=st.sampled_from([0, 1]),
    )
    def turn(self, functions: list[str], limit: int, names: list[str], seconds: int) -> None:
        """Do what a runner does all day, so that the other rules find something to disturb."""
        self.enqueue(functions, None, None, is_undone=False)
        self.claim(limit, 2, None)
        self.wait(seconds)
        for name, running in zip(names, self._leases[-12:], strict=False):
            if name != "nothing":
                self._settle(name, [running])
        self.claim(limit, 2, None)

    @rule(chosen=st.sampled_from(_SETS))
    def reload(self, chosen: dict[str, Limit]) -> None:
        self._functions = chosen

    @rule(
        limit=st.integers(1, 6),
        isolated=st.integers(0, 3),
        undoing=st.sampled_from([None, None, None, "transaction", "savepoint"]),
    )
    def claim(self, limit: int, isolated: int, undoing: str | None) -> None:
        store, functions = self._store, self._functions
        if undoing == "transaction":
            with undone(store.transaction()):
                store.claim(limit=limit, isolated=isolated, runner="a", functions=functions)
        with store.transaction():
            if undoing == "savepoint":
                with undone(store.savepoint()):
                    store.claim(limit=limit, isolated=isolated, runner="a", functions=functions)
            taken = store.claim(limit=limit, isolated=isolated, runner="a", functions=functions)
        started, alone, ended = self._model.claim(functions, limit, isolated, self._clock.now_us)
        assert [running.id for running in taken.started] == started
        assert taken.isolated == alone
        if len(started) - alone < limit:  # with no slot left, what lies behind is not looked at
            assert {ending.id for ending in taken.ended} == ended
        self._follow_store(ended)
        self._leases += taken.started

    def _follow_store(self, ids: set[str]) -> None:
        for row in self._model.rows:
            if row.id in ids:
                place = self._store.place(row.id)
                assert place is not None
                row.state = State(place[1])

    @rule(name=st.sampled_from(sorted(_SETTLE)), data=st.data())
    def settle(self, name: str, data: st.DataObject) -> None:
        if not self._leases:
            return
        self._settle(name, data.draw(st.lists(st.sampled_from(self._leases[-8:]), min_size=1, max_size=4)))

    def _settle(self, name: str, chosen: list[Running]) -> None:
        later = self._clock.now_us + SECOND
        extra: dict[str, Any] = {"scheduled_us": later} if name in {"retry", "charge"} else {}
        moves = [_SETTLE[name](running, at_us=self._clock.now_us, **extra) for running in chosen]
        with self._store.transaction():
            applied = self._store.apply(moves)
        for move, is_applied in zip(moves, applied, strict=True):
            row = self._row(move.id)
            assert is_applied is (row.state is State.STARTED and row.attempt == move.attempt)
            if is_applied:
                row.state, row.isolation, row.losses = move.target, move.isolation, 0
                if move.name == "retry":
                    row.scheduled_us, row.is_delayed = later, True

    @rule(data=st.data(), name=st.sampled_from(["cancel", "abort", "reschedule"]))
    def ask(self, data: st.DataObject, name: str) -> None:
        if not self._model.rows:
            return
        row = data.draw(st.sampled_from(self._model.rows))
        with self._store.transaction():
            if name == "cancel":
                assert (self._store.cancel(row.id) is not None) is (row.state is State.CREATED)
                row.state = State.CANCELLED if row.state is State.CREATED else row.state
            elif name == "reschedule":
                later = self._clock.now_us + data.draw(st.sampled_from([-1, 0, 2])) * SECOND
                assert self._store.reschedule(row.id, later) is (row.state is State.CREATED)
                if row.state is State.CREATED:
                    row.is_delayed = later > self._clock.now_us
                    row.scheduled_us = max(later, self._clock.now_us)
            else:
                assert (self._store.abort(row.id) is not None) is (row.state is State.STARTED)
                row.state = State.ABORTING if row.state is State.STARTED else row.state

    @rule(data=st.data())
    def end_an_abort(self, data: st.DataObject) -> None:
        if not self._leases:
            return
        running = data.draw(st.sampled_from(self._leases[-8:]))
        row = self._row(running.id)
        is_allowed = row.state is State.ABORTING and running.attempt == row.attempt
        with self._store.transaction():
            assert self._store.apply([aborted(running, at_us=self._clock.now_us)]) == [is_allowed]
        row.state = State.ABORTED if is_allowed else row.state

    @rule(seconds=st.sampled_from([0.5, 1, 2, 5, 3600]))
    def wait(self, seconds: float) -> None:
        self._clock.forward(seconds)

    @rule()
    def turn_the_clock_back(self) -> None:
        self._clock.forward(-2)
        now = self._clock.now_us
        ahead = [
            row
            for row in self._model.rows
            if row.state is State.CREATED and not row.is_delayed and row.scheduled_us > now
        ]
        with self._store.transaction():
            assert self._store.step_back(limit=1_000) == len(ahead)
        order = sorted(ahead, key=lambda row: (row.isolation > 0, row.place))
        scheduled = now
        for row, after in zip(reversed(order), [None, *reversed(order)], strict=False):
            if after is not None and row.seq > after.seq:
                scheduled -= 1
            row.scheduled_us = scheduled

    @rule()
    def discard(self) -> None:
        with self._store.transaction():
            ended = {ending.id for ending in self._store.discard_due(limit=1_000)}
        for row in self._model.rows:
            is_late = row.discard_us is not None and row.discard_us <= self._clock.now_us
            if row.state is State.CREATED and row.attempt == 0 and is_late:
                row.state = State.DISCARDED
                ended.remove(row.id)
        assert not ended

    @rule()
    def restart(self) -> None:
        self._store.close()
        self._store = self._engine.open(self._clock)
        with self._store.transaction():
            self._store.take_back(limit=1_000)
        self._model.take_back()

    @invariant()
    def agrees(self) -> None:
        found = {execution.id: (execution.state, execution.attempt) for execution in newest(self._reader, limit=10_000)}
        assert found == {row.id: (row.state, row.attempt) for row in self._model.rows}
        assert self._reader.counts() == Counter((row.function, row.state) for row in self._model.rows)
        self._agrees_with_history()

    def _agrees_with_history(self) -> None:
        """Hold what was counted by hour against a recount of the executions."""
        ends: Counter[tuple[str, int, State]] = Counter()
        runs: Counter[tuple[str, int]] = Counter()
        for one in newest(self._reader, limit=10_000):
            if one.finished_at is None:
                continue
            ends[one.function, to_microseconds(one.finished_at) // HOUR_US, one.state] += 1
            if one.started_at is not None and one.state in {State.SUCCEED, State.FAILED}:
                runs[one.function, bucket_of((one.finished_at - one.started_at) // timedelta(microseconds=1))] += 1
        found = self._reader.activity(from_hour=0)
        assert {(name, *key): count for name, one in found.items() for key, count in one.ended.items()} == ends
        assert {(name, key): count for name, one in found.items() for key, count in one.runs.items()} == runs
        together: Counter[tuple[int, State]] = Counter()
        for (_, hour, state), count in ends.items():
            together[hour, state] += count
        assert self._reader.outcomes(from_hour=0) == together

    def _row(self, id: str) -> _Row:
        return next(row for row in self._model.rows if row.id == id)


@pytest.mark.parametrize("engine_name", sorted(ENGINES))
def test_a_store_does_what_its_model_does(engine_name: str) -> None:
    machine = type("Machine", (StoreAndModel,), {"engine_name": engine_name})
    run_state_machine_as_test(machine, settings=settings(max_examples=100, stateful_step_count=60, deadline=None))
