"""Crons: each tick once, however many runners, whatever the clock does, whatever fails."""

from __future__ import annotations

import asyncio

import pytest

from defer_cli.domain import ticks
from tests.unit.engine.cron_bench import Bench, cron, short

DAILY = "0 8 * * *"
WEEKLY = "0 8 * * MON"
RAN = "the latest tick was run"


# Several runners.


async def test_two_runners_on_one_store_fire_a_tick_once() -> None:
    bench = Bench("2026-11-22 12:00")
    old, new = bench.runner(), bench.runner()
    await old.set_functions([cron("0 8 * * *")])
    await new.set_functions([cron("0 8 * * *")])
    for day in range(23, 30):
        bench.set_clock(f"2026-11-{day} 08:00:00")
        await asyncio.gather(old.fire_due(), new.fire_due())

    assert bench.ticks() == [f"2026-11-{day} 08:00" for day in range(23, 30)]
    assert [gap for gap in bench.gaps() if gap[2] != ticks.FIRST_SEEN] == []


async def test_two_versions_of_a_schedule_do_not_fight() -> None:
    bench = Bench("2026-11-22 12:00")
    old, new = bench.runner(), bench.runner()
    await old.set_functions([cron("0 8 * * *")])
    await new.set_functions([cron("0 8,20 * * *")])
    for hour in range(13, 24):
        bench.set_clock(f"2026-11-22 {hour}:00")
        await asyncio.gather(old.fire_due(), new.fire_due())
    for hour in range(24):
        bench.set_clock(f"2026-11-23 {hour:02}:00")
        await asyncio.gather(old.fire_due(), new.fire_due())

    assert bench.ticks() == ["2026-11-22 20:00", "2026-11-23 08:00", "2026-11-23 20:00"]


async def test_a_runner_that_stood_still_beside_another_records_no_gap() -> None:
    bench = Bench("2026-11-22 12:00")
    asleep, awake = bench.runner(), bench.runner()
    await asleep.set_functions([cron(DAILY)])
    await awake.set_functions([cron(DAILY)])
    for day in (23, 24, 25):
        bench.set_clock(f"2026-11-{day} 08:00:00")
        await awake.fire_due()
    bench.set_clock("2026-11-25 09:00")
    await asleep.fire_due()

    assert len(bench.ticks()) == 3
    assert len(bench.gaps()) == 1


# Clocks that are set.


async def test_a_clock_that_jumps_ahead_is_a_gap_like_downtime() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(DAILY))
    await bench.wake_at("2026-12-02 12:00")

    assert bench.ticks() == ["2026-12-02 08:00"]
    assert bench.gaps()[1:] == [("2026-11-22 12:00", "2026-12-02 08:00", f"{ticks.STOOD_STILL}; {RAN}")]


async def test_after_ten_days_ahead_and_back_ticks_go_on_at_once_each_once() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(DAILY))
    await bench.wake_at("2026-12-02 12:00")
    await bench.wake_at("2026-11-22 12:00:05")
    await bench.pass_until("2026-12-04 12:00")
    early = "2026-12-02 08:00"
    days = [f"2026-11-{day} 08:00" for day in range(23, 31)] + ["2026-12-01 08:00"]

    assert bench.ticks() == [early, *days, "2026-12-03 08:00", "2026-12-04 08:00"]


async def test_after_a_restart_under_a_clock_put_right_ticks_go_on_at_once() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(DAILY))
    await bench.wake_at("2026-12-02 12:00")
    bench.set_clock("2026-11-22 13:00")
    await bench.start(cron(DAILY))
    await bench.pass_until("2026-11-24 12:00")

    assert bench.ticks() == ["2026-12-02 08:00", "2026-11-23 08:00", "2026-11-24 08:00"]


async def test_a_mark_ahead_of_now_is_set_to_now_on_disk() -> None:
    bench = Bench("2026-12-02 12:00")
    await bench.start(cron(DAILY))
    await bench.wake_at("2026-11-22 12:00")

    assert bench.mark("0 8 * * *") == "2026-11-22 12:00"


async def test_a_clock_that_goes_back_leaves_crons_alone_that_did_not_run_ahead() -> None:
    bench = Bench("2026-11-23 12:00")
    await bench.start(cron(WEEKLY))
    await bench.wake_at("2026-11-24 12:00")
    await bench.wake_at("2026-11-23 13:00")

    assert [str(next) for _, next in bench.crons.upcoming()] == ["2026-11-30 08:00:00+00:00"]
    assert bench.mark("0 8 * * 1") == "2026-11-23 12:00"


async def test_a_clock_that_trembles_repeats_no_tick() -> None:
    bench = Bench("2026-11-23 12:00:30")
    await bench.start(cron("* * * * *"))
    for second in ("01:00.2", "00:59.9", "01:00.1", "00:59.5", "01:00.0", "02:00.0", "01:59.9", "02:00.0"):
        await bench.wake_at(f"2026-11-23 12:{second}00000")

    assert bench.ticks() == ["2026-11-23 12:01", "2026-11-23 12:02"]


# Stores that refuse, processes that die.


async def test_a_tick_that_the_store_refuses_is_written_at_the_next_wake() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(WEEKLY))
    bench.writer.refusals = 2
    for second in range(4):
        await bench.wake_at(f"2026-11-23 08:00:0{second}")

    assert bench.ticks() == ["2026-11-23 08:00"]
    assert [note.level for note in bench.told.notes] == ["error"]


async def test_a_refused_tick_leaves_the_mark_where_it_was() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(WEEKLY))
    bench.writer.refusals = 1
    await bench.wake_at("2026-11-23 08:00")

    assert bench.mark("0 8 * * 1") == "2026-11-22 12:00"
    assert short(bench.crons.next_us() or 0) == "2026-11-23 08:00"


@pytest.mark.parametrize("refusals", [1, 2])
async def test_a_start_that_the_store_refuses_is_made_good_at_the_next_wake(refusals: int) -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(WEEKLY))
    bench.set_clock("2026-11-23 12:00")
    bench.writer.refusals = refusals
    await bench.start(cron(WEEKLY))
    for second in range(3):
        await bench.wake_at(f"2026-11-23 12:00:0{second}")

    assert bench.ticks() == ["2026-11-23 08:00"]


async def test_a_step_back_that_the_store_refuses_is_made_good_at_the_next_wake() -> None:
    bench = Bench("2026-12-02 12:00")
    await bench.start(cron(DAILY))
    bench.writer.refusals = 1
    await bench.wake_at("2026-11-22 12:00:00")
    await bench.wake_at("2026-11-22 12:00:01")

    assert bench.mark("0 8 * * *") == "2026-11-22 12:00:01"


async def test_a_wake_that_is_cancelled_loses_no_tick() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(WEEKLY))
    bench.set_clock("2026-11-23 08:00")
    bench.writer.dies_after = 0
    wake = asyncio.ensure_future(bench.crons.fire_due())
    await asyncio.sleep(0)
    wake.cancel()
    await asyncio.gather(wake, return_exceptions=True)
    bench.writer.dies_after = None
    await bench.crons.fire_due()

    assert bench.ticks() == ["2026-11-23 08:00"]


@pytest.mark.parametrize("is_committed", [False, True])
@pytest.mark.parametrize("work", range(6))
async def test_a_runner_that_dies_at_any_moment_loses_and_doubles_no_tick(work: int, is_committed: bool) -> None:
    bench = Bench("2026-11-23 12:00:30")
    await bench.start(cron("* * * * *"))
    bench.writer.dies_after, bench.writer.dies_after_commit = work, is_committed
    for minute in range(1, 7):
        bench.set_clock(f"2026-11-23 12:0{minute}")
        wake = asyncio.ensure_future(bench.crons.fire_due())
        for _ in range(20):
            await asyncio.sleep(0)
        if not wake.done():
            wake.cancel()
            await asyncio.gather(wake, return_exceptions=True)
            bench.writer.dies_after = None
            await bench.start(cron("* * * * *"))

    assert bench.ticks() == [f"2026-11-23 12:0{minute}" for minute in range(1, 7)]
