"""Rounds of retention on a real store, under a clock and a timer of the test's own."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from msgspec.structs import replace

from defer_cli.domain.errors import StoreError
from defer_cli.domain.log_chunk import LogChunk
from defer_cli.domain.retention import RetentionSettings, Round
from defer_cli.engine.dispatcher import Dispatcher
from defer_cli.engine.events import Listener, Note
from defer_cli.engine.retention import Pace, Retention
from defer_cli.reports import Reports
from defer_cli.store.contract import Reader, Store
from defer_cli.store.sqlite import open_reader, open_store
from defer_cli.store.writer import Writer
from tests.store.harness import NOON, SECOND, Clock, apply, call, cancel, enqueue, ids, newest, start, succeed

MINUTE = 60
DAY = 86_400
OFF = RetentionSettings(executions=None, most=None, logs=None)


class Parts:
    """Writer, dispatcher, reports and listener: all answer at once; ``steps`` counts what the writer did."""

    def __init__(self, store: Store, reader: Reader) -> None:
        self.store = store
        self.reader = reader
        self.notes: list[Note] = []
        self.steps = 0
        self.refusal: StoreError | None = None
        self.is_idle = True
        self.free_slots = 1
        self.before_step: Callable[[], object] = lambda: None

    def submit(self, work: Callable[[Store], Any]) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()
        self.steps += 1
        self.before_step()
        if self.refusal is not None:
            future.set_exception(self.refusal)
            return future
        with self.store.transaction():
            future.set_result(work(self.store))
        return future

    async def read(self, question: Callable[[Reader], Any]) -> Any:
        return question(self.reader)

    def tell(self, note: Note) -> None:
        self.notes.append(note)


class Bench:
    def __init__(self, path: Path) -> None:
        self.clock = Clock()
        self.store = open_store(path, clock=self.clock, is_lasting=False)
        self.reader = open_reader(path)
        self.parts = Parts(self.store, self.reader)

    def retention(self, *, timer: Callable[[], float] = lambda: 0.0, **limits: Any) -> Retention:
        parts = self.parts
        return Retention(
            replace(OFF, **limits),
            cast("Writer", parts),
            cast("Dispatcher", parts),
            cast("Reports", parts),
            cast("Listener", parts),
            clock=self.clock,
            timer=timer,
        )

    def finished(self, *, parent: str | None = None) -> str:
        id = enqueue(self.store, parent=parent) if parent else enqueue(self.store)
        cancel(self.store, id)
        return id

    def pages(self) -> int:
        (pages,) = self.reader._connection.execute("PRAGMA page_count").fetchone()
        return int(pages)

    def left(self) -> list[str]:
        return ids(newest(self.reader, limit=500))[::-1]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "defer.db")
    yield made
    made.reader.close()
    made.store.close()


async def round_after(bench: Bench, retention: Retention, seconds: float = MINUTE) -> None:
    bench.clock.forward(seconds)
    await retention.run()


async def test_what_finished_before_the_limit_goes(bench: Bench) -> None:
    bench.finished()
    bench.clock.forward(DAY)
    young, waiting = bench.finished(), enqueue(bench.store)
    retention = bench.retention(executions=timedelta(hours=12))
    await round_after(bench, retention)

    assert bench.left() == [young, waiting]
    assert retention.pruned == {"executions": 1, "logs": 0}
    assert [note.fields for note in bench.parts.notes] == [{"executions": 1, "logs": 0}]


async def test_it_waits_a_minute_before_the_first_round_and_between_rounds(bench: Bench) -> None:
    bench.finished()
    bench.clock.forward(DAY)
    retention = bench.retention(executions=timedelta(hours=12))
    await round_after(bench, retention, MINUTE - 1)
    assert len(bench.left()) == 1
    await round_after(bench, retention, 1)
    assert bench.left() == []
    assert retention.next_us() == bench.clock.now_us + MINUTE * SECOND


async def test_a_round_that_found_nothing_is_not_soon_followed_by_another(bench: Bench) -> None:
    retention = bench.retention(executions=timedelta(hours=12))
    await round_after(bench, retention)

    assert retention.next_us() == bench.clock.now_us + 5 * MINUTE * SECOND


async def test_a_round_that_took_long_is_followed_by_a_longer_pause(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("defer_cli.engine.retention.asyncio.sleep", lambda _: _at_once())
    bench.finished()
    ticks = itertools.count()
    retention = bench.retention(timer=lambda: next(ticks) * 10.0, executions=timedelta(days=1))
    await round_after(bench, retention, 2 * DAY)

    assert retention.next_us() == bench.clock.now_us + 20 * 20 * SECOND  # two steps of 10 s, a twentieth of the time


async def _at_once() -> None:
    pass


async def test_without_limits_nothing_is_due_and_nothing_is_asked(bench: Bench) -> None:
    bench.finished()
    retention = bench.retention()
    await round_after(bench, retention, 400 * DAY)

    assert retention.next_us() is None
    assert bench.parts.steps == 0


async def test_a_clock_that_was_set_back_does_not_end_it(bench: Bench) -> None:
    bench.finished()
    bench.clock.forward(400 * DAY)
    retention = bench.retention(executions=timedelta(days=30))
    await round_after(bench, retention, -300 * DAY)

    assert bench.left() == []


async def test_the_oldest_over_the_maximum_go(bench: Bench) -> None:
    made = [bench.finished() for _ in range(150)]
    waiting = enqueue(bench.store)
    retention = bench.retention(most=20)
    await round_after(bench, retention)

    assert bench.left() == [*made[130:], waiting]
    assert retention.pruned["executions"] == 130


async def test_children_kept_for_their_parent_do_not_count_against_the_maximum(bench: Bench) -> None:
    parent = enqueue(bench.store)
    (running,) = start(bench.store)
    children = [bench.finished(parent=parent) for _ in range(10)]
    others = [bench.finished() for _ in range(5)]
    retention = bench.retention(most=5)
    await round_after(bench, retention)
    assert bench.left() == [parent, *children, *others]

    apply(bench.store, succeed(running))
    await round_after(bench, retention, 5 * MINUTE)
    assert bench.left() == others


async def test_what_is_younger_than_the_limit_is_not_looked_at(bench: Bench) -> None:
    """A million of yesterday's cost a round nothing."""
    bench.clock.forward(10 * DAY)
    with bench.store.transaction():
        bench.store.insert([msgspec.structs.replace(call(), called_us=bench.clock.now_us) for _ in range(3_000)])
    retention = bench.retention(executions=timedelta(days=1))
    await round_after(bench, retention)

    assert bench.parts.steps == 3  # a look, the pages, the round itself


async def test_those_made_under_a_clock_that_ran_ahead_do_not_end_a_round(bench: Bench) -> None:
    with bench.store.transaction():
        bench.store.insert(
            [msgspec.structs.replace(call(), called_us=NOON + 4_000 * DAY * SECOND) for _ in range(1_000)]
        )
    bench.finished()
    bench.clock.forward(10 * DAY)
    retention = bench.retention(executions=timedelta(days=1))
    await round_after(bench, retention)

    assert retention.pruned["executions"] == 1


async def test_logs_go_before_their_executions(bench: Bench) -> None:
    id = enqueue(bench.store)
    (running,) = start(bench.store)
    with bench.store.transaction():
        lines = msgspec.msgpack.encode([[NOON, "stdout", "hello"]])
        bench.store.append_logs([LogChunk(running.seq, 1, 0, lines)])
    apply(bench.store, succeed(running))
    retention = bench.retention(executions=timedelta(days=30), logs=timedelta(days=7))
    await round_after(bench, retention, 6 * DAY)
    assert [line.text for line in bench.reader.log_lines(id)] == ["hello"]
    await round_after(bench, retention, 2 * DAY)

    (line,) = bench.reader.log_lines(id)
    assert (line.stream, line.text) == ("defer", "what was printed here has been deleted: logs are kept for 7d")
    assert retention.pruned == {"executions": 0, "logs": 1}
    await round_after(bench, retention, 30 * DAY)
    assert bench.left() == []


async def test_a_log_is_found_that_was_not_old_enough_when_a_round_came_by(bench: Bench) -> None:
    enqueue(bench.store)
    enqueue(bench.store)
    first, second = start(bench.store)
    lines = msgspec.msgpack.encode([[NOON, "stdout", "hello"]])
    with bench.store.transaction():
        bench.store.append_logs([LogChunk(one.seq, 1, 0, lines) for one in (first, second)])
    apply(bench.store, succeed(second))
    retention = bench.retention(logs=timedelta(days=7))
    await round_after(bench, retention, 8 * DAY)
    assert retention.pruned["logs"] == 1
    apply(bench.store, succeed(first))
    await round_after(bench, retention, 8 * DAY)

    assert retention.pruned["logs"] == 2


async def test_room_is_given_back(bench: Bench) -> None:
    for _ in range(20):
        cancel(bench.store, enqueue(bench.store, arguments=b'["' + b"x" * 200_000 + b'"]'))
    pages = bench.pages()
    retention = bench.retention(executions=timedelta(days=1))
    await round_after(bench, retention, 2 * DAY)

    assert bench.pages() < pages / 5


async def test_the_round_is_told_while_it_goes_on_and_at_its_end(bench: Bench) -> None:
    for _ in range(200):
        bench.finished()
    retention = bench.retention(executions=timedelta(days=1))
    seen = []
    bench.parts.before_step = lambda: seen.append(bench.reader.last_round())
    await round_after(bench, retention, 2 * DAY)

    began_us = bench.clock.now_us
    assert Round(began_us=began_us, executions=64) in seen
    assert bench.reader.last_round() == retention.round
    assert retention.round == Round(
        began_us=began_us, ended_us=began_us, next_us=began_us + MINUTE * SECOND, executions=200
    )


async def test_a_store_that_takes_nothing_is_tried_again_later(bench: Bench) -> None:
    bench.finished()
    retention = bench.retention(executions=timedelta(days=1))
    bench.parts.refusal = StoreError("the disk is full")
    await round_after(bench, retention, 2 * DAY)
    bench.parts.refusal = None
    await round_after(bench, retention, 5 * MINUTE)

    assert bench.left() == []


@pytest.mark.parametrize(
    ("is_idle", "free_slots", "share"),
    [(True, 1, 1 / 2), (False, 1, 1 / 10), (False, 0, 1 / 20)],
    ids=["idle", "beside work", "while work waits"],
)
async def test_it_takes_a_share_of_the_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, is_idle: bool, free_slots: int, share: float
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("defer_cli.engine.retention.asyncio.sleep", sleep)
    bench.parts.is_idle, bench.parts.free_slots = is_idle, free_slots
    bench.finished()
    ticks = itertools.count()
    retention = bench.retention(timer=lambda: next(ticks) * 0.01, executions=timedelta(days=1))
    await round_after(bench, retention, 2 * DAY)

    assert slept == pytest.approx([0.01 / share - 0.01] * 2)


def test_a_pace_follows_what_steps_take() -> None:
    pace = Pace(64, most=1_000)
    pace.learn(64, 0.000_5)
    assert pace.size == 128
    pace.learn(128, 0.010)
    assert pace.size == 32
    pace.learn(3, 0.000_1)  # there was no more to do: that says nothing
    assert pace.size == 32
    for _ in range(20):
        pace.learn(pace.size, 0.000_1)
    assert pace.size == 1_000
