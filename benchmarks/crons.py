"""W7: many crons due in the same second, from the tick to its execution on disk."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.harness import Row, median, percentile, spread
from defer_cli.domain.function import FunctionSpec
from defer_cli.engine.alarm import Alarm
from defer_cli.engine.crons import Crons
from defer_cli.engine.events import Event
from defer_cli.store.contract import Store, Tick
from defer_cli.store.sqlite.store import open_store
from defer_cli.store.writer import Writer

T = TypeVar("T")
_MINUTE_US = 60_000_000
_AHEAD_US = 1_500_000
_STALL_STEP_SECONDS = 0.001


class _Quiet:
    def settled(self, moves: Sequence[Any]) -> None: ...

    def tell(self, event: Event) -> None: ...


class _Counting:
    """The store, with the ticks of one transaction counted."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.fired = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def fire(self, ticks: Sequence[Tick]) -> Any:
        self.fired += len(ticks)
        return self._store.fire(ticks)


class _Timed:
    """The writer, with the moment noted at which each tick was on disk."""

    def __init__(self, writer: Writer, clock: Callable[[], int]) -> None:
        self._writer = writer
        self._clock = clock
        self.on_disk_us: list[int] = []

    def submit(self, work: Callable[[Any], T]) -> asyncio.Future[T]:
        counted: list[_Counting] = []

        def counting(store: Store) -> T:
            counted.append(_Counting(store))
            return work(counted[-1])

        future = self._writer.submit(counting)
        future.add_done_callback(lambda _: self.on_disk_us.extend([self._clock()] * sum(c.fired for c in counted)))
        return future


async def fire(count: int) -> tuple[list[float], float]:
    """Return the delay of each tick, in ms, and the longest stall of the loop, in ms."""
    offset = _MINUTE_US - _AHEAD_US - time.time_ns() // 1000 % _MINUTE_US

    def clock() -> int:
        return time.time_ns() // 1000 + offset

    with tempfile.TemporaryDirectory(prefix="defer-bench-") as folder:
        store = open_store(Path(folder) / "defer.db", clock=clock)
        writer = Writer(
            store, runner="bench", on_claim=lambda _: None, on_applied=lambda *_: None, on_fatal=lambda _: None
        )
        writer.start()
        timed = _Timed(writer, clock)
        crons = Crons(timed, _Quiet(), clock, catches_up=True)
        specs = [
            FunctionSpec(name=f"cron_{n}", kind="cron", module="m", file="m.py", line=1, schedule=_schedule(n))
            for n in range(count)
        ]
        await crons.set_functions(specs)
        tick_us = crons.next_us() or 0
        alarm = Alarm(clock)
        alarm.add("crons", crons.next_us, crons.fire_due)
        alarm.start()
        stall = 0.0
        while len(timed.on_disk_us) < count and clock() < tick_us + 10_000_000:
            before = time.perf_counter()
            await asyncio.sleep(_STALL_STEP_SECONDS)
            if clock() > tick_us:
                stall = max(stall, time.perf_counter() - before - _STALL_STEP_SECONDS)
        await alarm.stop()
        await writer.stop()
    return [(at - tick_us) / 1e3 for at in timed.on_disk_us], stall * 1e3


def _schedule(number: int) -> str:
    """Return one of many different schedules that are all due each minute of this hour and day."""
    return f"* * * * {number % 7},0-6" if number % 2 else f"*/1 {number % 24},0-23 * * *"


def measure(runs: int) -> list[Row]:
    """Return the rows of W7."""
    rows = []
    for count, goal in ((1_000, "p99 ≤ 20 ms, stall ≤ 10 ms"), (10_000, "all, ≤ 300 ms")):
        every = [asyncio.run(fire(count)) for _ in range(runs)]
        p99 = [percentile(delays, 0.99) for delays, _ in every]
        last = [max(delays) for delays, _ in every]
        stall = [stall for _, stall in every]
        fired = min(len(delays) for delays, _ in every)
        value = f"{fired:,} on disk, p99 {median(p99):.0f} ms, last {median(last):.0f} ms, stall {median(stall):.0f} ms"
        rows.append(Row("W7", f"{count:,} crons due in one second", value, f"p99 {spread(p99)}", "", goal))
    return rows
