"""The alarm: wakes in time, goes on whatever fails and however the clock is set."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, tzinfo

import apscheduler.schedulers.base
import pytest

from defer_cli.domain.errors import StoreError
from defer_cli.engine import alarm as alarm_module
from defer_cli.engine.alarm import Alarm

HOUR_US = 3_600_000_000
NEVER_SECONDS = 3_600.0
LIMIT_SECONDS = 20.0


class Hands:
    """A wall clock that goes as the machine's does, and can be set."""

    def __init__(self) -> None:
        self.ahead_us = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000 + self.ahead_us

    def step(self, **hours: int) -> None:
        self.ahead_us += hours["hours"] * HOUR_US


class Woken:
    """An action that counts its wakes and can be waited for."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = asyncio.Condition()

    async def __call__(self) -> None:
        self.count += 1
        async with self._changed:
            self._changed.notify_all()

    async def times(self, count: int) -> None:
        async with asyncio.timeout(LIMIT_SECONDS), self._changed:
            await self._changed.wait_for(lambda: self.count >= count)


def never() -> int | None:
    return None


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
async def alarm(hands: Hands) -> AsyncIterator[Alarm]:
    alarm = Alarm(hands)
    yield alarm
    await alarm.stop()


@pytest.fixture
def _watches_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm_module, "WATCH_SECONDS", 0.02)


async def test_a_job_is_woken_when_it_is_due(alarm: Alarm, hands: Hands) -> None:
    woken, due = Woken(), [hands() + 50_000]
    alarm.add("crons", lambda: due[0], lambda: seen.append(hands()), at_most_seconds=NEVER_SECONDS)
    alarm.add("done", lambda: due[0] + 50_000, woken, at_most_seconds=NEVER_SECONDS)
    seen: list[int] = []
    alarm.start()
    await woken.times(1)

    assert seen[0] >= due[0]


async def test_a_job_without_a_time_is_woken_again_and_again(alarm: Alarm) -> None:
    woken = Woken()
    alarm.add("inbox", never, woken, at_most_seconds=0.01)
    alarm.start()

    await woken.times(3)


async def test_a_job_is_not_woken_before_its_time(alarm: Alarm, hands: Hands) -> None:
    early, late = Woken(), Woken()
    alarm.add("late", lambda: hands() + HOUR_US, late, at_most_seconds=NEVER_SECONDS)
    alarm.add("early", never, early, at_most_seconds=0.01)
    alarm.start()
    await early.times(3)

    assert late.count == 0


async def test_a_plain_function_runs_on_the_loop(alarm: Alarm) -> None:
    loops: list[asyncio.AbstractEventLoop] = []
    woken = Woken()
    alarm.add("plain", never, lambda: loops.append(asyncio.get_running_loop()), at_most_seconds=0.01)
    alarm.add("other", never, woken, at_most_seconds=0.01)
    alarm.start()
    await woken.times(3)

    assert loops[0] is asyncio.get_running_loop()


async def test_what_becomes_due_earlier_is_woken_earlier(alarm: Alarm, hands: Hands) -> None:
    woken, dues = Woken(), [hands() + HOUR_US]
    alarm.add("claim", lambda: dues[0], woken, at_most_seconds=NEVER_SECONDS)
    alarm.start()
    dues[0] = hands() + 10_000
    alarm.hurry("claim")

    await woken.times(1)


async def test_hurrying_what_is_no_earlier_changes_no_plan(
    alarm: Alarm, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = hands() + HOUR_US
    alarm.add("claim", lambda: due, Woken(), at_most_seconds=NEVER_SECONDS * 2)
    alarm.start()
    monkeypatch.setattr(alarm, "_plan", None)

    alarm.hurry("claim")


async def test_what_is_hurried_while_it_runs_runs_once_more(alarm: Alarm, hands: Hands) -> None:
    woken, past = Woken(), hands()

    async def action() -> None:
        if woken.count == 0:
            alarm.hurry("claim")
        await woken()

    alarm.add("claim", lambda: past, action, at_most_seconds=NEVER_SECONDS)
    alarm.start()

    await woken.times(2)


@pytest.mark.parametrize("turns", range(6))
async def test_hurrying_at_any_moment_of_a_run_is_heard(alarm: Alarm, hands: Hands, turns: int) -> None:
    woken, dues = Woken(), [hands()]
    alarm.add("claim", lambda: dues.pop() if dues else None, woken, at_most_seconds=NEVER_SECONDS)
    alarm.start()
    for _ in range(turns):
        await asyncio.sleep(0)
    before = woken.count
    dues.extend([hands()] * 3)
    alarm.hurry("claim")

    await woken.times(before + 1)


async def test_hurrying_before_the_start_is_harmless(alarm: Alarm, hands: Hands) -> None:
    woken = Woken()
    alarm.add("claim", hands, woken, at_most_seconds=NEVER_SECONDS)
    alarm.hurry("claim")
    alarm.start()

    await woken.times(1)


async def test_a_job_may_be_added_later(alarm: Alarm, hands: Hands) -> None:
    woken = Woken()
    alarm.start()
    alarm.add("late", hands, woken)

    await woken.times(1)


async def test_a_time_that_comes_during_a_run_is_not_waited_for(alarm: Alarm, hands: Hands) -> None:
    woken, dues = Woken(), [hands()]

    async def action() -> None:
        dues[0] = hands() + 1
        await woken()

    alarm.add("crons", lambda: dues[0], action, at_most_seconds=NEVER_SECONDS)
    alarm.start()

    await woken.times(3)


async def test_what_a_run_leaves_undone_waits_for_the_next_wake(alarm: Alarm, hands: Hands) -> None:
    undone, others, past = Woken(), Woken(), hands()
    alarm.add("refused", lambda: past, undone, at_most_seconds=NEVER_SECONDS)
    alarm.add("other", never, others, at_most_seconds=0.01)
    alarm.start()
    await others.times(5)

    assert undone.count == 1


# What fails.


async def test_an_action_that_raises_is_told_and_woken_again(alarm: Alarm, caplog: pytest.LogCaptureFixture) -> None:
    woken = Woken()

    async def fail() -> None:
        await woken()
        raise RuntimeError("no luck")

    alarm.add("crons", never, fail, at_most_seconds=0.01)
    alarm.start()
    await woken.times(3)

    told = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert {record.getMessage() for record in told} == {"crons failed and is tried again: no luck"}
    assert {record.name for record in told} == {"defer_cli.engine.alarm"}


async def test_what_ends_the_runner_is_not_told_here_as_well(alarm: Alarm, caplog: pytest.LogCaptureFixture) -> None:
    woken = Woken()

    async def fail() -> None:
        await woken()
        raise StoreError("it is gone", is_fatal=True)

    alarm.add("upkeep", never, fail, at_most_seconds=0.01)
    alarm.start()
    await woken.times(3)

    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_time_that_cannot_be_told_stops_nothing(alarm: Alarm) -> None:
    woken = Woken()

    def fail() -> int:
        raise OverflowError("the year 10000")

    alarm.add("crons", fail, woken, at_most_seconds=0.01)
    alarm.start()

    await woken.times(3)


async def test_a_job_runs_once_at_a_time_and_the_others_go_on(alarm: Alarm, caplog: pytest.LogCaptureFixture) -> None:
    others, runs, end = Woken(), [], asyncio.Event()

    async def linger() -> None:
        runs.append(1)
        await end.wait()

    alarm.add("slow", never, linger, at_most_seconds=0.01)
    alarm.add("other", never, others, at_most_seconds=0.01)
    alarm.start()
    await others.times(6)

    assert len(runs) == 1
    assert [record.getMessage() for record in caplog.records if "slow" in record.getMessage()] == [
        "slow is still running at its next time"
    ]


async def test_a_stop_cancels_what_runs_and_waits_for_it(alarm: Alarm, caplog: pytest.LogCaptureFixture) -> None:
    begun, ended = Woken(), []

    async def linger() -> None:
        await begun()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    alarm.add("slow", never, linger, at_most_seconds=0.01)
    alarm.start()
    await begun.times(1)
    await alarm.stop()

    assert ended == [True]
    assert len(asyncio.all_tasks()) == 1
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_stopping_twice_or_before_the_start_is_harmless(alarm: Alarm) -> None:
    await alarm.stop()
    alarm.start()
    await alarm.stop()
    await alarm.stop()


# Clocks that are set.


@pytest.mark.usefixtures("_watches_often")
@pytest.mark.parametrize("hours", [-10, 10])
async def test_a_clock_that_was_set_wakes_everything(alarm: Alarm, hands: Hands, hours: int) -> None:
    woken = Woken()
    alarm.add("crons", lambda: hands() + HOUR_US, woken, at_most_seconds=NEVER_SECONDS)
    alarm.start()
    hands.step(hours=hours)

    await woken.times(1)


@pytest.mark.usefixtures("_watches_often")
async def test_how_far_a_clock_was_set_is_told(hands: Hands) -> None:
    steps: asyncio.Queue[float] = asyncio.Queue()
    alarm = Alarm(hands, on_step=steps.put_nowait)
    alarm.start()
    hands.step(hours=-2)
    async with asyncio.timeout(LIMIT_SECONDS):
        step = await steps.get()
    await alarm.stop()

    assert step == pytest.approx(-7_200, abs=60)


@pytest.mark.usefixtures("_watches_often")
async def test_a_clock_that_nobody_set_is_not_told(hands: Hands) -> None:
    steps: list[float] = []
    alarm, woken = Alarm(hands, on_step=steps.append), Woken()
    alarm.add("beat", never, woken, at_most_seconds=0.02)
    alarm.start()
    await woken.times(5)
    await alarm.stop()

    assert steps == []


@pytest.mark.usefixtures("_watches_often")
@pytest.mark.parametrize("hours", [-10, 10])
async def test_jobs_go_on_after_the_machine_was_set(
    hands: Hands, alarm: Alarm, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    machine = Hands()
    monkeypatch.setattr(apscheduler.schedulers.base, "datetime", moments_of(machine))
    monkeypatch.setattr(alarm_module, "datetime", moments_of(machine))
    monkeypatch.setattr(alarm_module, "time", Seconds(machine))
    woken = Woken()
    alarm.add("crons", never, woken, at_most_seconds=0.05)
    alarm.start()
    await woken.times(2)
    machine.step(hours=hours)

    await woken.times(woken.count + 3)


STARTED = """
import asyncio, sys, time
from defer_cli.engine.alarm import Alarm

alarm = Alarm(lambda: time.time_ns() // 1_000)
alarm.add("crons", lambda: None, lambda: None)
alarm.load()
loaded = set(sys.modules)

async def main():
    alarm.start()
    await alarm.stop()

asyncio.run(main())
print(sorted(name for name in set(sys.modules) - loaded if name.startswith("apscheduler")))
"""


def test_once_loaded_it_starts_without_an_import_that_would_hold_up_the_loop() -> None:
    ran = subprocess.run([sys.executable, "-c", STARTED], capture_output=True, text=True, check=True, timeout=60)

    assert ran.stdout == "[]\n"


class Seconds:
    """What the alarm takes from the module ``time``."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock

    def time(self) -> float:
        return self._clock() / 1_000_000


def moments_of(clock: Callable[[], int]) -> type[datetime]:
    class Moments(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(clock() / 1_000_000, tz or UTC)

    return Moments
