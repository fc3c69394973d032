"""Crons on a real store: exactly one execution a tick, whatever is killed and however the clock is set."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from defer_cli.domain.execution import to_microseconds, to_moment
from defer_cli.domain.function import FunctionSpec
from defer_cli.engine.crons import Crons
from defer_cli.store.contract import Claim, Limit
from defer_cli.store.sqlite.reader import open_reader
from defer_cli.store.sqlite.store import open_store
from defer_cli.store.writer import Writer
from tests.store.harness import newest
from tests.unit.engine.cron_bench import Told, at, cron

ROOT = Path(__file__).parents[2]
BEGIN = "2026-11-22 12:00:30"


class Runner:
    """Crons over a writer over a database, under a clock set by hand."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "defer.db"
        self.now_us = to_microseconds(at(BEGIN))
        self.told = Told()
        self.claimed: asyncio.Queue[Claim] = asyncio.Queue()

    def clock(self) -> int:
        return self.now_us

    async def start(self, *specs: FunctionSpec) -> None:
        self.writer = Writer(
            open_store(self.path, clock=self.clock),
            runner="a",
            on_claim=self.claimed.put_nowait,
            on_applied=lambda *_: None,
            on_fatal=lambda _: None,
        )
        self.writer.start()
        self.crons = Crons(self.writer, self.told, self.clock, catches_up=True)
        await self.crons.set_functions(specs)

    async def wake_at(self, moment: str) -> None:
        self.now_us = to_microseconds(at(moment))
        await self.crons.fire_due()

    async def stop(self) -> None:
        await self.writer.stop()

    def scheduled(self) -> list[str]:
        """Return when the executions were scheduled, in the order in which they were made."""
        reader = open_reader(self.path)
        try:
            executions = newest(reader, limit=20_000)
        finally:
            reader.close()
        assert {execution.came_from for execution in executions} <= {"tick"}
        return [f"{execution.scheduled_at:%Y-%m-%d %H:%M}" for execution in reversed(executions)]

    def gaps(self) -> list[str]:
        reader = open_reader(self.path)
        try:
            return [gap.reason for gap in reader.gaps(limit=100)]
        finally:
            reader.close()


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


async def test_a_missed_tick_is_caught_up_once_over_restarts(runner: Runner) -> None:
    for moment in (BEGIN, "2026-11-25 12:00", "2026-11-25 12:01", "2026-11-25 12:02"):
        runner.now_us = to_microseconds(at(moment))
        await runner.start(cron("0 8 * * MON"))
        await runner.stop()

    assert runner.scheduled() == ["2026-11-23 08:00"]
    assert len(runner.gaps()) == 2


async def test_another_spelling_in_a_restart_loop_loses_no_tick(runner: Runner) -> None:
    for minute in range(6):
        runner.now_us = to_microseconds(at(f"2026-11-23 08:0{minute}") - timedelta(minutes=2))
        await runner.start(cron("0 8 * * 1" if minute % 2 else "0 8 * * MON"))
        await runner.stop()

    assert runner.scheduled() == ["2026-11-23 08:00"]


async def test_ten_days_ahead_and_back_run_each_tick_once(runner: Runner) -> None:
    await runner.start(cron("0 8 * * *"))
    await runner.wake_at("2026-12-02 12:00")
    await runner.wake_at(BEGIN)
    for day in range(23, 31):
        await runner.wake_at(f"2026-11-{day} 08:00")
    for day in (1, 2, 3):
        await runner.wake_at(f"2026-12-0{day} 08:00")
    await runner.stop()
    november = [f"2026-11-{day} 08:00" for day in range(23, 31)]

    assert runner.scheduled() == ["2026-12-02 08:00", *november, "2026-12-01 08:00", "2026-12-03 08:00"]


async def test_a_tick_is_claimed_in_the_commit_that_wrote_it(runner: Runner) -> None:
    await runner.start(cron("0 8 * * *"))
    runner.writer.set_functions({"brief": Limit()})
    runner.writer.grant(1)
    await runner.wake_at("2026-11-23 08:00")
    started = []
    while not runner.claimed.empty():
        started.extend(runner.claimed.get_nowait().started)
    await runner.stop()

    assert [running.function for running in started] == ["brief"]


async def test_ten_thousand_due_in_one_second_are_on_disk_once(runner: Runner) -> None:
    await runner.start(*(cron("0 8 * * *", f"cron_{number}") for number in range(10_000)))
    await runner.wake_at("2026-11-23 08:00")
    await runner.wake_at("2026-11-23 08:00:01")
    await runner.stop()

    assert runner.scheduled() == ["2026-11-23 08:00"] * 10_000


async def test_ten_thousand_that_stood_still_run_their_latest_tick_once(runner: Runner) -> None:
    await runner.start(*(cron("0 * * * *", f"cron_{number}") for number in range(10_000)))
    await runner.wake_at("2026-11-25 08:30")
    await runner.stop()

    assert runner.scheduled() == ["2026-11-25 08:00"] * 10_000


async def walk(folder: Path, first: int, say: Callable[[str], None]) -> None:
    """Live through a minute a step, from ``first`` on, until killed."""
    runner = Runner(folder)
    runner.now_us += first * 60_000_000
    await runner.start(cron("* * * * *"), cron("*/2 * * * *", "second"))
    for minute in range(first, 100_000):
        say(f"{minute}\n")
        moment = to_moment(to_microseconds(at(BEGIN)) + minute * 60_000_000)
        await runner.wake_at(f"{moment:%Y-%m-%d %H:%M:%S}")


WALK = """
import asyncio, sys
from pathlib import Path
from tests.process.test_crons_clock import walk
asyncio.run(walk(Path(sys.argv[1]), int(sys.argv[2]), lambda line: (sys.stdout.write(line), sys.stdout.flush())))
"""


@pytest.mark.process
@pytest.mark.fault
def test_killed_at_random_moments_no_tick_is_lost_or_doubled(tmp_path: Path) -> None:
    minute, kills = 0, 0
    for steps in (1, 2, 7, 30, 3, 55, 11, 1):
        with subprocess.Popen(
            [sys.executable, "-c", WALK, str(tmp_path), str(minute)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        ) as process:
            assert process.stdout is not None
            for _ in range(steps):
                minute = int(process.stdout.readline())
            process.kill()
            rest = process.stdout.read().split("\n")
            minute = int(rest[-2]) if len(rest) > 1 else minute
        kills += process.returncode < 0
    lost, doubled, ticks = lost_and_doubled(tmp_path, minute)
    print(f"kills {kills}, ticks {ticks}, lost {lost}, doubled {doubled}")
    assert kills == 8
    assert (lost, doubled) == (0, 0)


def lost_and_doubled(folder: Path, minute: int) -> tuple[int, int, int]:
    """Return how many ticks up to a minute of ``walk`` were lost, how many doubled, and how many there are."""
    asyncio.run(_one_last_wake(folder, minute))
    runner = Runner(folder)
    ran = Counter(runner.scheduled())
    minutes = [to_moment(to_microseconds(at(BEGIN)) + passed * 60_000_000) for passed in range(1, minute + 1)]
    expected = Counter({f"{moment:%Y-%m-%d %H:%M}": 1 + (moment.minute % 2 == 0) for moment in minutes})
    lost, doubled = sum((expected - ran).values()), sum((ran - expected).values())
    return lost, doubled, sum(expected.values())


async def _one_last_wake(folder: Path, minute: int) -> None:
    runner = Runner(folder)
    runner.now_us += minute * 60_000_000
    await runner.start(cron("* * * * *"), cron("*/2 * * * *", "second"))
    await runner.crons.fire_due()
    await runner.stop()
