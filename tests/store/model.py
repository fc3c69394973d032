"""What a store does, in a few lines: executions in a list, and every rule written the slow and plain way."""

from __future__ import annotations

from dataclasses import dataclass

from defer_cli.domain.settle import Isolation
from defer_cli.domain.states import FINAL_STATES, RUNNING_STATES, State
from defer_cli.store.contract import Limit


@dataclass
class Row:
    """What the model knows of one execution."""

    seq: int
    id: str
    function: str
    scheduled_us: int
    discard_us: int | None
    is_delayed: bool
    tick_us: int | None = None
    state: State = State.CREATED
    attempt: int = 0
    isolation: Isolation = Isolation.NONE
    charged: int = 0
    losses: int = 0
    started_us: int = 0
    went_on_us: int = 0
    finished_us: int = 0

    @property
    def place(self) -> tuple[int, int]:
        return (self.scheduled_us, self.seq)

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES

    def end(self, state: State, now: int) -> None:
        self.state = state
        self.finished_us = now
        if state is State.ABORTED:  # as any end of an attempt; what is cancelled or discarded does not run
            self.losses = 0


class Model:
    """Does what the store does."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._ticks: dict[str, set[int]] = {}
        self._made = 0

    def insert(
        self, id: str, function: str, scheduled_us: int, *, discard_us: int | None = None, is_delayed: bool = False
    ) -> None:
        self._made += 1
        self.rows.append(Row(self._made, id, function, scheduled_us, discard_us, is_delayed))

    def fire(self, id: str, function: str, tick_us: int) -> bool:
        """Insert a tick, once; return whether this is that time."""
        ticks = self._ticks.setdefault(function, set())
        if tick_us in ticks:
            return False
        ticks.add(tick_us)
        self.insert(id, function, tick_us)
        self.rows[-1].tick_us = tick_us
        return True

    def prune(self, before_us: int) -> list[Row]:
        """Forget what finished before a moment; the newest tick of a function stays known."""
        gone = [row for row in self.rows if row.is_final and row.finished_us < before_us]
        self.rows = [row for row in self.rows if row not in gone]
        for row in gone:
            ticks = self._ticks.get(row.function, set())
            if row.tick_us is not None and row.tick_us != max(ticks):
                ticks.discard(row.tick_us)
        return gone

    def claim(
        self, functions: dict[str, Limit], limit: int, isolated: int, now: int
    ) -> tuple[list[str], int, set[str]]:
        """Return what is started, how many of that are isolated, and what ends."""
        alone: list[Row] = []
        for row in self._due(now, is_isolated=True):
            is_free = row.function in functions and not self._is_full(row.function, functions)
            if is_free and len(alone) < isolated:
                self._start(row, now)
                alone.append(row)
        others, ended = self._claim_others(functions, limit, now)
        return [row.id for row in sorted(alone + others, key=lambda row: row.place)], len(alone), ended

    def _claim_others(self, functions: dict[str, Limit], limit: int, now: int) -> tuple[list[Row], set[str]]:
        started: list[Row] = []
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
                row.end(State.DISCARDED, now)
                ended.add(row.id)
                continue
            self._start(row, now)
            started.append(row)
        for row in due:
            is_cancelling = row.function in functions and functions[row.function].action == "cancel"
            is_met = self._is_full(row.function, functions) if is_cancelling else False
            if is_met and row.state is State.CREATED and row.attempt == 0:
                row.end(State.CANCELLED, now)
                ended.add(row.id)
        return started, ended

    def _due(self, now: int, *, is_isolated: bool) -> list[Row]:
        due = [
            row
            for row in self.rows
            if row.state is State.CREATED and row.scheduled_us <= now and (row.isolation > 0) is is_isolated
        ]
        return sorted(due, key=lambda row: row.place)

    def _start(self, row: Row, now: int) -> None:
        row.state = State.STARTED
        row.attempt += 1
        row.started_us = row.went_on_us = now

    def _is_behind(self, row: Row) -> bool:
        return any(
            other.function == row.function
            and other.state is State.CREATED
            and other.isolation > 0
            and other.place < row.place
            for other in self.rows
        )

    def take_back(self, now: int) -> None:
        """Do what a start does about a runner that has died."""
        started = [row for row in self.rows if row.state is State.STARTED]
        last = max(
            (row for row in self.rows if row.isolation > 0 and row.state in RUNNING_STATES),
            key=lambda row: (row.went_on_us, row.seq),
            default=None,
        )
        guilty = last if last in started and last.losses >= 2 else None
        for row in started:
            if row is not guilty:
                row.state = State.CREATED
                row.losses += 1
                row.isolation = max(row.isolation, Isolation.SUSPECT) if row.losses >= 2 else row.isolation
        for row in self.rows:
            if row.state is State.ABORTING:
                row.end(State.ABORTED, now)

    def has_runner_suspects(self) -> bool:
        open_ones = [row for row in self.rows if row.state in {State.CREATED, State.STARTED}]
        return any(row.isolation > 0 and row.losses >= 2 for row in open_ones)

    def _is_full(self, function: str, functions: dict[str, Limit]) -> bool:
        concurrency = functions[function].concurrency
        running = sum(row.function == function and row.state in RUNNING_STATES for row in self.rows)
        return concurrency is not None and running >= concurrency
