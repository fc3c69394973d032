"""Crons: each tick when it comes, and what is owed after a time without a runner."""

from __future__ import annotations

import asyncio

from defer_cli.domain import ticks
from defer_cli.domain.ids import tick_id
from defer_cli.engine import crons as crons_module
from tests.unit.engine.cron_bench import Bench, cron, short

DAILY = "0 8 * * *"
WEEKLY = "0 8 * * MON"
RAN = "the latest tick was run"


async def test_a_tick_is_enqueued_when_it_comes() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(WEEKLY))
    await bench.pass_until("2026-11-24 12:00")

    assert bench.ticks() == ["2026-11-23 08:00"]


async def test_the_execution_is_scheduled_at_the_tick_not_at_the_wake() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(WEEKLY))
    await bench.wake_at("2026-11-23 08:00:07")
    (call,) = bench.memory.executions.values()

    assert short(call.scheduled_us or 0) == "2026-11-23 08:00"
    assert (call.came_from, call.arguments) == ("tick", b"[]")


async def test_the_id_of_an_execution_follows_from_its_tick() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(WEEKLY))
    await bench.wake_at("2026-11-23 08:00:07")
    ((function, tick_us),) = bench.memory.rows

    assert bench.memory.rows[function, tick_us] == tick_id(function, tick_us)


async def test_a_wake_before_the_tick_does_nothing() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(WEEKLY))
    await bench.wake_at("2026-11-23 07:59:59.999999")

    assert bench.ticks() == []


async def test_only_crons_are_fired() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(WEEKLY).__class__(name="f", kind="function", module="f", file="f.py", line=1))

    assert bench.crons.upcoming() == []


# What is missed.


async def test_a_new_cron_owes_nothing_and_says_so() -> None:
    bench = Bench("2026-11-23 12:00")
    await bench.start(cron(WEEKLY))

    assert bench.ticks() == []
    assert bench.gaps() == [("2026-11-23 12:00", "2026-11-23 12:00", ticks.FIRST_SEEN)]


async def test_a_missed_monday_is_caught_up_once() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(WEEKLY))
    bench.set_clock("2026-11-23 12:00")
    await bench.start(cron(WEEKLY))
    await bench.start(cron(WEEKLY))
    await bench.pass_until("2026-11-29 12:00")

    assert bench.ticks() == ["2026-11-23 08:00"]


async def test_of_many_missed_ticks_the_latest_is_run_and_the_gap_is_one_row() -> None:
    bench = Bench("2026-11-01 12:00")
    await bench.start(cron(DAILY))
    bench.set_clock("2026-11-23 12:00")
    await bench.start(cron(DAILY))

    assert bench.ticks() == ["2026-11-23 08:00"]
    assert bench.gaps()[1:] == [("2026-11-01 12:00", "2026-11-23 08:00", f"{ticks.NO_RUNNER}; {RAN}")]


async def test_after_catching_up_the_next_tick_comes_in_its_time() -> None:
    bench = Bench("2026-11-01 12:00")
    await bench.start(cron(DAILY))
    bench.set_clock("2026-11-23 12:00")
    await bench.start(cron(DAILY))

    assert [(name, str(next)) for name, next in bench.crons.upcoming()] == [("brief", "2026-11-24 08:00:00+00:00")]


async def test_catch_up_none_runs_nothing_but_shows_the_gap() -> None:
    bench = Bench("2026-11-01 12:00")
    await bench.start(cron(DAILY, catch_up="none"))
    bench.set_clock("2026-11-23 12:00")
    await bench.start(cron(DAILY, catch_up="none"))

    assert bench.ticks() == []
    assert bench.gaps()[1:] == [
        ("2026-11-01 12:00", "2026-11-23 12:00", f'{ticks.NO_RUNNER}; catch_up is "none"'),
    ]


async def test_a_runner_for_development_records_the_gap_and_sets_the_marks_to_now() -> None:
    bench = Bench("2026-11-01 12:00")
    await bench.start(cron(DAILY))
    bench.set_clock("2026-11-23 12:00")
    await bench.start(cron(DAILY), catches_up=False)
    await bench.start(cron(DAILY))

    assert bench.ticks() == []
    assert bench.mark("0 8 * * *") == "2026-11-23 12:00"
    assert bench.gaps()[1:] == [
        ("2026-11-01 12:00", "2026-11-23 12:00", f"{ticks.NO_RUNNER}; defer dev does not catch up")
    ]


async def test_a_missed_tick_is_told() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(WEEKLY))
    bench.set_clock("2026-11-23 12:00")
    await bench.start(cron(WEEKLY))

    assert [(note.level, note.fields["function"]) for note in bench.told.notes] == [("warning", "brief")]


async def test_after_a_stall_only_the_latest_tick_runs() -> None:
    bench = Bench("2026-11-23 12:00:30")
    await bench.start(cron("* * * * *"))
    await bench.wake_at("2026-11-23 12:05:10")
    await bench.wake_at("2026-11-23 12:05:11")

    assert bench.ticks() == ["2026-11-23 12:05"]
    assert bench.gaps()[1:] == [("2026-11-23 12:00:30", "2026-11-23 12:05", f"{ticks.STOOD_STILL}; {RAN}")]


async def test_a_tick_that_is_a_little_late_is_no_gap() -> None:
    bench = Bench("2026-11-23 12:00:30")
    await bench.start(cron("* * * * *"))
    await bench.wake_at("2026-11-23 12:01:50")

    assert bench.ticks() == ["2026-11-23 12:01"]
    assert len(bench.gaps()) == 1


# Schedules that change.


async def test_another_spelling_of_a_schedule_loses_no_tick() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(WEEKLY))
    for minute in range(10):
        bench.set_clock(f"2026-11-23 08:0{minute}")
        await bench.start(cron("0 8 * * 1" if minute % 2 else "0 8 * * MON"))

    assert bench.ticks() == ["2026-11-23 08:00"]


async def test_a_changed_schedule_owes_nothing_and_says_so() -> None:
    bench = Bench("2026-11-20 12:00")
    await bench.start(cron(WEEKLY))
    bench.set_clock("2026-11-23 12:00")
    await bench.start(cron(DAILY))

    assert bench.ticks() == []
    assert bench.gaps()[1:] == [("2026-11-20 12:00", "2026-11-23 12:00", ticks.CHANGED)]


async def test_going_back_to_an_old_schedule_owes_nothing() -> None:
    bench = Bench("2026-10-20 12:00")
    await bench.start(cron(WEEKLY))
    await bench.start(cron(DAILY))
    bench.set_clock("2026-11-23 12:00")
    await bench.start(cron(WEEKLY))

    assert bench.ticks() == []


async def test_a_cron_that_is_gone_loses_its_mark() -> None:
    bench = Bench("2026-11-20 12:00")
    await bench.start(cron(WEEKLY), cron(DAILY, "other"))
    await bench.start(cron(DAILY, "other"))

    assert set(bench.memory.mark_rows) == {("other", "0 8 * * *")}


async def test_a_reload_lets_a_cron_that_stays_go_on() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(WEEKLY))
    bench.set_clock("2026-11-23 08:00:01")
    await bench.crons.set_functions([cron(WEEKLY), cron(DAILY, "new")])
    await bench.crons.fire_due()

    assert bench.ticks() == ["2026-11-23 08:00"]
    assert len(bench.gaps()) == 2


async def test_a_reload_drops_a_cron_that_is_gone() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(WEEKLY))
    await bench.crons.set_functions([])
    await bench.pass_until("2026-11-24 12:00")

    assert bench.ticks() == []


async def test_of_two_reloads_at_once_the_newest_wins() -> None:
    bench = Bench("2026-11-22 12:00")
    old = [cron(DAILY, f"old_{number}") for number in range(crons_module.PLANNED_A_TURN * 2)]
    await asyncio.gather(bench.crons.set_functions(old), bench.crons.set_functions([cron(DAILY, "new")]))

    assert [name for name, _ in bench.crons.upcoming()] == ["new"]


async def test_a_schedule_that_cannot_be_read_stops_no_other() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron("0 25 * * *", "wrong"), cron(WEEKLY))
    await bench.pass_until("2026-11-24 12:00")

    assert bench.ticks() == ["2026-11-23 08:00"]
    assert [note.level for note in bench.told.notes] == ["error"]


async def test_a_cron_without_a_further_tick_stops_no_other() -> None:
    bench = Bench("9999-12-31 22:58")
    await bench.start(cron("59 22 31 12 *", "last"), cron("0,1 23 31 12 *"))
    await bench.pass_until("9999-12-31 23:30")

    assert (bench.ticks("last"), bench.ticks()) == (["9999-12-31 22:59"], ["9999-12-31 23:00", "9999-12-31 23:01"])
    assert bench.crons.next_us() is None


# Many.


async def test_ten_thousand_due_in_one_second_are_all_enqueued_once() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(*(cron(WEEKLY, f"cron_{number}") for number in range(10_000)))
    bench.writer.sizes.clear()
    await bench.wake_at("2026-11-23 08:00")
    await bench.wake_at("2026-11-23 08:00:01")

    assert len(bench.memory.rows) == len(bench.memory.executions) == 10_000
    assert max(bench.writer.sizes) <= crons_module.DUE_A_TURN


async def test_the_loop_has_its_turn_while_many_are_fired() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(*(cron(WEEKLY, f"cron_{number}") for number in range(1_000)))
    turns = 0
    bench.set_clock("2026-11-23 08:00")
    wake = asyncio.ensure_future(bench.crons.fire_due())
    while not wake.done():
        turns += 1
        await asyncio.sleep(0)

    assert turns >= 1_000 // crons_module.DUE_A_TURN + 1_000 // crons_module.PLANNED_A_TURN


async def test_upcoming_ticks_are_shown_the_soonest_first() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(WEEKLY, "weekly"), cron("0 13 * * *", "daily"))

    assert [name for name, _ in bench.crons.upcoming()] == ["daily", "weekly"]
    assert short(bench.crons.next_us() or 0) == "2026-11-22 13:00"


# What is counted.


async def test_ticks_are_counted_and_so_are_gaps_but_no_new_schedules() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(WEEKLY))
    await bench.wake_at("2026-11-23 08:00:01")
    await bench.wake_at("2026-12-12 08:00:00")
    fired, gaps = dict(bench.crons.fired), dict(bench.crons.gaps)
    await bench.crons.set_functions([cron(DAILY)])

    assert (fired, gaps) == ({"brief": 2}, {"brief": 1})
    assert bench.crons.gaps["brief"] == 1
