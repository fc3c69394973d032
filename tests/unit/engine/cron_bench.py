"""A bench for crons: a clock set by hand, a store in memory that keeps the contract, a writer that answers at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from datetime import UTC, datetime
from typing import TypeVar, cast

from msgspec.structs import replace

from defer_cli.domain.enqueue import Enqueue, Stored
from defer_cli.domain.errors import StoreError
from defer_cli.domain.execution import to_microseconds, to_moment
from defer_cli.domain.function import CatchUp, FunctionOptions, FunctionSpec
from defer_cli.domain.settle import Move
from defer_cli.engine.crons import Crons
from defer_cli.engine.events import Event, Note
from defer_cli.store.contract import Gap, Mark, Store, Tick

T = TypeVar("T")


class MemoryStore:
    """What crons need of a store; a failed piece of work leaves nothing."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.now = clock
        self.executions: dict[str, Enqueue] = {}
        self.rows: dict[tuple[str, int], str] = {}
        self.mark_rows: dict[tuple[str, str], int] = {}
        self.gap_rows: list[Gap] = []
        self.paused_rows: dict[str, int] = {}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        before = {name: copy(rows) for name, rows in self.__dict__.items() if name != "now"}
        try:
            yield
        except BaseException:
            self.__dict__.update(before)
            raise

    def fire(self, ticks: Sequence[Tick]) -> list[Stored | None]:
        fired: list[Stored | None] = []
        for tick in ticks:
            key = (tick.function, tick.canonical)
            self.mark_rows[key] = max(tick.tick_us, self.mark_rows.get(key, tick.tick_us))
            if (tick.function, tick.tick_us) in self.rows:
                fired.append(None)
                continue
            assert tick.call.id not in self.executions
            self.rows[tick.function, tick.tick_us] = tick.call.id
            self.executions[tick.call.id] = tick.call
            fired.append(Stored(tick.call.id, True, "created", 0, tick.tick_us, tick.tick_us, tick.tick_us))
        return fired

    def marks(self) -> list[Mark]:
        return [Mark(*key, mark_us) for key, mark_us in self.mark_rows.items()]

    def set_marks(self, marks: Sequence[Mark]) -> None:
        self.mark_rows |= {(mark.function, mark.canonical): mark.mark_us for mark in marks}

    def record_gaps(self, gaps: Sequence[Gap]) -> None:
        self.gap_rows.extend(gaps)

    def lengthen_gaps(self, gaps: Sequence[Gap]) -> None:
        for gap in gaps:
            key = (gap.function, gap.canonical, gap.reason)
            same = [row for row in self.gap_rows if (row.function, row.canonical, row.reason) == key]
            if same and same[-1].until_us >= gap.after_us:
                place = self.gap_rows.index(same[-1])
                self.gap_rows[place] = replace(same[-1], until_us=max(same[-1].until_us, gap.until_us))
            else:
                self.gap_rows.append(gap)

    def pause(self, function: str) -> bool:
        is_new = function not in self.paused_rows
        self.paused_rows = {function: self.now()} | self.paused_rows
        return is_new

    def resume(self, function: str) -> bool:
        return self.paused_rows.pop(function, None) is not None

    def paused(self) -> dict[str, int]:
        return dict(self.paused_rows)

    def forget_marks(self, keep: Sequence[tuple[str, str]]) -> None:
        self.mark_rows = {key: mark_us for key, mark_us in self.mark_rows.items() if key in keep}


class InstantWriter:
    """Does work at once, each in a transaction of its own; refuses as often as it is told to."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.refusals = 0
        self.sizes: list[int] = []
        self.before: dict[int, Callable[[], object]] = {}
        """What happens right before a piece of work, by its number from 0."""
        self.dies_after: int | None = None
        """How many more pieces of work are answered before the process is gone."""
        self.dies_after_commit = False

    def submit(self, work: Callable[[Store], T]) -> asyncio.Future[T]:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.before.pop(len(self.sizes), lambda: None)()
        self.sizes.append(len(getattr(work, "ticks", ())))
        if self.dies_after is not None:
            if self.dies_after == 0:
                if self.dies_after_commit:
                    with self.store.transaction():
                        work(self.store)
                    self.dies_after_commit = False
                return future
            self.dies_after -= 1
        try:
            if self.refusals > 0:
                self.refusals -= 1
                raise StoreError("database or disk is full")
            with self.store.transaction():
                value = work(self.store)
        except StoreError as error:
            future.set_exception(error)
        else:
            future.set_result(value)
        return future


class Told:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.notes: list[Note] = []

    def settled(self, moves: Sequence[Move]) -> None:
        raise AssertionError("crons settle nothing")

    def tell(self, event: Event) -> None:
        assert isinstance(event, Note)
        self.notes.append(event)


def cron(schedule: str, name: str = "brief", *, catch_up: CatchUp = "latest") -> FunctionSpec:
    return FunctionSpec(
        name=name,
        kind="cron",
        module=f"defer.{name}",
        file=f"defer/{name}.py",
        line=1,
        schedule=schedule,
        options=FunctionOptions(catch_up=catch_up),
    )


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Bench:
    """A store with a clock, and runners that come and go on it."""

    def __init__(self, now: str, store: Store | None = None) -> None:
        self.now_us = to_microseconds(at(now))
        self.memory = MemoryStore(self.clock)
        self.store = store or cast(Store, self.memory)
        self.writer = InstantWriter(self.store)
        self.told = Told()
        self.crons = self.runner()

    def clock(self) -> int:
        return self.now_us

    def runner(self, *, catches_up: bool = True) -> Crons:
        return Crons(self.writer, self.told, self.clock, catches_up=catches_up)

    async def start(self, *specs: FunctionSpec, catches_up: bool = True) -> None:
        """Start anew, as after a restart: nothing but the store is kept."""
        self.crons = self.runner(catches_up=catches_up)
        await self.crons.set_functions(specs)

    def set_clock(self, now: str) -> None:
        self.now_us = to_microseconds(at(now))

    async def wake_at(self, now: str) -> None:
        self.set_clock(now)
        await self.crons.fire_due()

    async def pass_until(self, end: str) -> None:
        """Let time pass as an alarm does: awake at each tick and at the end."""
        end_us = to_microseconds(at(end))
        while (due_us := self.crons.next_us()) is not None and due_us <= end_us:
            self.now_us = max(due_us, self.now_us)
            await self.crons.fire_due()
        await self.wake_at(end)

    def ticks(self, function: str = "brief") -> list[str]:
        """Return the ticks that made an execution, in the order in which they did."""
        return [short(tick_us) for name, tick_us in self.memory.rows if name == function]

    def gaps(self) -> list[tuple[str, str, str]]:
        return [(short(gap.after_us), short(gap.until_us), gap.reason) for gap in self.memory.gap_rows]

    def mark(self, canonical: str, function: str = "brief") -> str:
        return short(self.memory.mark_rows[function, canonical])


def short(moment_us: int) -> str:
    return to_moment(moment_us).strftime("%Y-%m-%d %H:%M" if moment_us % 60_000_000 == 0 else "%Y-%m-%d %H:%M:%S")
