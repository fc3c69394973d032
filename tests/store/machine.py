"""Does whatever in whatever order to a store and to its model, and compares."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.execution import Execution, to_microseconds
from defer_cli.domain.history import HOUR_US, bucket_of
from defer_cli.domain.ids import tick_id
from defer_cli.domain.settle import Isolation, Move, Running
from defer_cli.domain.states import State
from defer_cli.store.contract import Limit, Store, Taker, Tick
from tests.store.harness import (
    ENGINES,
    NOON,
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
from tests.store.model import Model, Row

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
        self._model = Model()
        self._leases: list[Running] = []
        self._gone: list[Execution] = []
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
        for one in calls:
            self._model.insert(one.id, one.function, asked or now, discard_us=discard_us, is_delayed=asked is not None)

    @rule(function=st.sampled_from(FUNCTIONS), hours=st.lists(st.integers(0, 3), min_size=1, max_size=3))
    def fire(self, function: str, hours: list[int]) -> None:
        moments = [NOON - hour * HOUR_US for hour in hours]
        ticks = [
            Tick(function, "0 * * * *", at, call(function, id=tick_id(function, at), came_from="tick"))
            for at in moments
        ]
        with self._store.transaction():
            fired = self._store.fire(ticks)
        made = [self._model.fire(tick.call.id, function, tick.tick_us) for tick in ticks]
        assert [stored is not None for stored in fired] == made

    @rule(seconds=st.sampled_from([0, 1, 5]), limit=st.sampled_from([20, 1_000]))
    def prune(self, seconds: int, limit: int) -> None:
        before = self._clock.now_us - seconds * SECOND
        stored = {one.id: one for one in newest(self._reader, limit=10_000)}
        deleted = 0
        seq: int | None = 0
        while seq is not None:
            with self._store.transaction():
                step = self._store.prune(before_us=before, from_seq=seq, limit=limit)
            deleted, seq = deleted + step.deleted, step.next_seq
        gone = self._model.prune(before)
        assert deleted == len(gone)
        self._gone += [stored[row.id] for row in gone]

    @initialize(chosen=st.sampled_from(_SETS))
    def load(self, chosen: dict[str, Limit]) -> None:
        self._functions = chosen

    @rule(
        functions=st.lists(st.sampled_from(FUNCTIONS), min_size=3, max_size=12),
        limit=st.integers(2, 12),
        names=st.lists(st.sampled_from([*_SETTLE, "nothing"]), min_size=12, max_size=12),
        seconds=st.sampled_from([0, 1]),
        discard=st.sampled_from([None, None, 2]),
    )
    def turn(self, functions: list[str], limit: int, names: list[str], seconds: int, discard: int | None) -> None:
        """Do what a runner does all day, so that the other rules find something to disturb."""
        self.enqueue(functions, None, discard, is_undone=False)
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
        self._claim(limit, isolated, undoing, [])

    @rule(
        functions=st.lists(st.sampled_from(FUNCTIONS), min_size=1, max_size=6),
        limit=st.integers(1, 6),
        undoing=st.sampled_from([None, None, "transaction", "savepoint"]),
    )
    def enqueue_and_claim(self, functions: list[str], limit: int, undoing: str | None) -> None:
        """Do as the writer does: what is called and can be taken at once is stored as started."""
        self._claim(limit, 2, undoing, [call(function) for function in functions])

    def _claim(self, limit: int, isolated: int, undoing: str | None, calls: list[Enqueue]) -> None:
        store, functions = self._store, self._functions
        taker = Taker(limit, "a", functions)
        if undoing == "transaction":
            with undone(store.transaction()):
                store.insert(calls, taker=taker)
                store.claim(limit=limit, isolated=isolated, runner="a", functions=functions)
        with store.transaction():
            half = len(calls) // 2
            store.insert(calls[:half], taker=taker)
            if undoing == "savepoint":
                with undone(store.savepoint()):
                    store.insert(calls[half:], taker=taker)
                    store.claim(limit=limit, isolated=isolated, runner="a", functions=functions)
            store.insert(calls[half:], taker=taker)
            taken = store.claim(limit=limit, isolated=isolated, runner="a", functions=functions)
        for one in calls:
            self._model.insert(one.id, one.function, self._clock.now_us)
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
                row.end(State(place[1]), self._clock.now_us)

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
            is_held = row is not None and row.state is State.STARTED and row.attempt == move.attempt
            assert is_applied is is_held
            if row is not None and is_held:
                row.end(move.target, move.at_us)
                row.isolation, row.losses = move.isolation, 0
                if move.name == "retry":
                    row.scheduled_us, row.is_delayed = later, True
                    row.charged += 1

    @rule(data=st.data(), name=st.sampled_from(["cancel", "abort", "reschedule"]))
    def ask(self, data: st.DataObject, name: str) -> None:
        if not self._model.rows:
            return
        row = data.draw(st.sampled_from(self._model.rows))
        with self._store.transaction():
            if name == "cancel":
                assert (self._store.cancel(row.id) is not None) is (row.state is State.CREATED)
                if row.state is State.CREATED:
                    row.end(State.CANCELLED, self._clock.now_us)
            elif name == "reschedule":
                later = self._clock.now_us + data.draw(st.sampled_from([-1, 0, 2])) * SECOND
                assert self._store.reschedule(row.id, later) is (row.state is State.CREATED)
                if row.state is State.CREATED:
                    row.is_delayed = later > self._clock.now_us
                    row.scheduled_us = max(later, self._clock.now_us)
            else:
                assert (self._store.abort(row.id) is not None) is (row.state is State.STARTED)
                if row.state is State.STARTED:
                    row.state, row.went_on_us = State.ABORTING, self._clock.now_us

    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        if not self._leases:
            return
        running = data.draw(st.sampled_from(self._leases[-8:]))
        row = self._row(running.id)
        is_held = row is not None and row.state is State.STARTED and running.attempt == row.attempt
        with self._store.transaction():
            assert self._store.go_on(seq=running.seq, attempt=running.attempt) is is_held
        if row is not None and is_held:
            row.went_on_us = self._clock.now_us

    @rule(data=st.data())
    def end_an_abort(self, data: st.DataObject) -> None:
        if not self._leases:
            return
        running = data.draw(st.sampled_from(self._leases[-8:]))
        row = self._row(running.id)
        is_held = row is not None and row.state is State.ABORTING and running.attempt == row.attempt
        with self._store.transaction():
            assert self._store.apply([aborted(running, at_us=self._clock.now_us)]) == [is_held]
        if row is not None and is_held:
            row.end(State.ABORTED, self._clock.now_us)

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
        now = self._clock.now_us
        with self._store.transaction():
            ended = {ending.id for ending in self._store.discard_due(limit=1_000)}
        late = [
            row
            for row in self._model.rows
            if row.state is State.CREATED and row.attempt == 0 and row.discard_us is not None and row.discard_us <= now
        ]
        assert ended == {row.id for row in late}
        for row in late:
            row.end(State.DISCARDED, now)

    @rule()
    def restart(self) -> None:
        self._store.close()
        self._store = self._engine.open(self._clock)
        with self._store.transaction():
            self._store.take_back(limit=1_000)
        self._model.take_back(self._clock.now_us)

    @invariant()
    def agrees(self) -> None:
        stored = newest(self._reader, limit=10_000)
        found = {one.id: (one.state, one.attempt, one.charged, one.losses) for one in stored}
        assert found == {row.id: (row.state, row.attempt, row.charged, row.losses) for row in self._model.rows}
        places = {one.id: (to_microseconds(one.scheduled_at), one.is_isolated) for one in stored}
        waiting = [row for row in self._model.rows if not row.is_final]
        assert {row.id: places[row.id] for row in waiting} == {
            row.id: (row.scheduled_us, row.isolation > 0) for row in waiting
        }
        assert self._store.has_runner_suspects() is self._model.has_runner_suspects()
        assert self._reader.counts() == Counter((row.function, row.state) for row in self._model.rows)
        self._agrees_with_history(stored)

    def _agrees_with_history(self, stored: list[Execution]) -> None:
        """Hold what was counted by hour against a recount of the executions, deleted ones included."""
        ends: Counter[tuple[str, int, State]] = Counter()
        runs: Counter[tuple[str, int]] = Counter()
        for one in stored + self._gone:
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

    def _row(self, id: str) -> Row | None:
        return next((row for row in self._model.rows if row.id == id), None)
