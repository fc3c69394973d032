"""Crons that are paused: no tick is run, each is recorded as skipped, and a resume owes nothing."""

from __future__ import annotations

from typing import cast

import pytest

from defer_cli.changes import Changes
from defer_cli.domain import ticks
from defer_cli.store.contract import Store
from tests.unit.engine.cron_bench import Bench, cron, short

DAILY = "0 8 * * *"
WEEKLY = "0 8 * * MON"
MINUTELY = "* * * * *"
MISSED = f"{ticks.NO_RUNNER}; {ticks.BEFORE_PAUSE}"


def on_disk(bench: Bench, change: str, *names: str) -> bool:
    """Pause or resume as the writer does, also while no runner lives."""
    with bench.memory.transaction():
        changes = Changes(cast(Store, bench.memory))
        changes.make(change, {"names": names or ["brief"]})
    return changes.has_paused


async def pause(bench: Bench, *names: str) -> None:
    on_disk(bench, "pause", *names)
    await bench.crons.heed_pauses()


async def resume(bench: Bench, *names: str) -> None:
    on_disk(bench, "resume", *names)
    await bench.crons.heed_pauses()


async def test_no_tick_is_run_while_paused() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(DAILY), cron(DAILY, "other"))
    await pause(bench)
    await bench.pass_until("2026-11-25 12:00")

    assert bench.ticks() == []
    assert bench.ticks("other") == [f"2026-11-{day} 08:00" for day in (23, 24, 25)]


async def test_ticks_of_a_pause_are_one_gap_that_is_up_to_date() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(DAILY))
    await pause(bench)
    told = []
    for day in (23, 24, 25):
        await bench.pass_until(f"2026-11-{day} 12:00")
        told.append(bench.gaps()[1:])

    assert told == [[("2026-11-22 12:00", f"2026-11-{day} 08:00", ticks.PAUSED)] for day in (23, 24, 25)]


async def test_a_minutely_cron_that_is_paused_for_a_day_is_one_row() -> None:
    bench = Bench("2026-11-22 12:00:30")
    await bench.start(cron(MINUTELY))
    await pause(bench)
    await bench.pass_until("2026-11-23 12:00:30")

    assert bench.gaps()[1:] == [("2026-11-22 12:00:30", "2026-11-23 12:00", ticks.PAUSED)]
    assert bench.crons.skipped["brief"] == 24 * 60


async def test_a_resumed_cron_runs_its_next_tick_and_none_that_passed() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(DAILY))
    await pause(bench)
    await bench.pass_until("2026-11-24 07:00")
    await resume(bench)
    await bench.pass_until("2026-11-25 12:00")

    assert bench.ticks() == ["2026-11-24 08:00", "2026-11-25 08:00"]


async def test_a_paused_cron_is_not_promised_and_a_resumed_one_is() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(DAILY), cron(WEEKLY, "weekly"))
    await pause(bench)
    paused = [name for name, _ in bench.crons.upcoming()]
    await resume(bench)

    assert paused == ["weekly"]
    assert [name for name, _ in bench.crons.upcoming()] == ["brief", "weekly"]


async def test_pauses_are_told_once_each() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(DAILY))
    for change in (pause, pause, resume, resume):
        await change(bench)

    assert [(note.message, note.fields) for note in bench.told.notes] == [
        ("a cron was paused", {"function": "brief"}),
        ("a cron was resumed", {"function": "brief"}),
    ]


async def test_skipped_ticks_are_not_told_and_not_counted_as_missed() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(DAILY))
    await pause(bench)
    await bench.pass_until("2026-11-25 12:00")

    assert [note.level for note in bench.told.notes] == ["info"]
    assert (bench.crons.gaps, bench.crons.skipped) == ({}, {"brief": 3})


# Without a runner.


async def test_a_pause_made_without_a_runner_holds_when_one_starts() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(DAILY))
    on_disk(bench, "pause")
    bench.set_clock("2026-11-23 12:00")
    await bench.start(cron(DAILY))
    await bench.pass_until("2026-11-24 12:00")

    assert bench.ticks() == []
    assert bench.gaps()[1:] == [("2026-11-22 12:00", "2026-11-24 08:00", ticks.PAUSED)]
    assert [(note.message, note.fields) for note in bench.told.notes] == [("crons are paused", {"count": 1})]


async def test_ticks_before_a_pause_were_missed_and_those_in_it_skipped() -> None:
    bench = Bench("2026-11-20 12:00")
    await bench.start(cron(DAILY))
    bench.set_clock("2026-11-22 12:00")
    on_disk(bench, "pause")
    bench.set_clock("2026-11-25 12:00")
    await bench.start(cron(DAILY))

    assert bench.ticks() == []
    assert bench.gaps()[1:] == [
        ("2026-11-20 12:00", "2026-11-22 08:00", MISSED),
        ("2026-11-22 12:00", "2026-11-25 08:00", ticks.PAUSED),
    ]


async def test_a_pause_that_began_and_ended_without_a_runner_leaves_only_what_followed_it() -> None:
    bench = Bench("2026-11-20 12:00")
    await bench.start(cron(DAILY))
    on_disk(bench, "pause")
    bench.set_clock("2026-11-22 12:00")
    on_disk(bench, "resume")
    bench.set_clock("2026-11-22 13:00")
    await bench.start(cron(DAILY))
    at_once = bench.ticks()
    bench.set_clock("2026-11-25 12:00")
    await bench.start(cron(DAILY))

    assert at_once == []
    assert bench.ticks() == ["2026-11-25 08:00"]
    assert bench.gaps()[1:] == [
        ("2026-11-20 12:00", "2026-11-22 08:00", ticks.PAUSED),
        ("2026-11-22 12:00", "2026-11-25 08:00", f"{ticks.NO_RUNNER}; the latest tick was run"),
    ]


async def test_restarts_do_not_part_a_pause() -> None:
    bench = Bench("2026-11-20 12:00")
    await bench.start(cron(DAILY))
    await pause(bench)
    for day in (22, 24, 26):
        bench.set_clock(f"2026-11-{day} 12:00")
        await bench.start(cron(DAILY))
        await bench.pass_until(f"2026-11-{day + 1} 12:00")

    assert bench.gaps()[1:] == [("2026-11-20 12:00", "2026-11-27 08:00", ticks.PAUSED)]


@pytest.mark.parametrize("catches_up", [True, False], ids=["run", "dev"])
async def test_a_pause_without_a_tick_is_no_gap(catches_up: bool) -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(DAILY))
    on_disk(bench, "pause")
    bench.set_clock("2026-11-22 13:00")
    await bench.start(cron(DAILY), catches_up=catches_up)
    await resume(bench)

    assert len(bench.gaps()) == 1


# By name.


async def test_a_pause_outlives_a_change_of_the_schedule() -> None:
    bench = Bench("2026-11-20 12:00")
    await bench.start(cron(DAILY))
    await pause(bench)
    bench.set_clock("2026-11-22 12:00")
    await bench.start(cron("0 9 * * *"))
    await bench.pass_until("2026-11-23 12:00")

    assert bench.ticks() == []
    assert sorted(bench.gaps()[1:]) == [
        ("2026-11-20 12:00", "2026-11-22 08:00", ticks.PAUSED),
        ("2026-11-22 08:00", "2026-11-22 12:00", ticks.CHANGED),
        ("2026-11-22 12:00", "2026-11-23 09:00", ticks.PAUSED),
    ]


async def test_a_pause_outlives_the_absence_of_its_function() -> None:
    bench = Bench("2026-11-20 12:00")
    await bench.start(cron(DAILY))
    await pause(bench)
    await bench.crons.set_functions([])
    await bench.pass_until("2026-11-22 12:00")
    await bench.crons.set_functions([cron(DAILY)])
    await bench.pass_until("2026-11-24 12:00")

    assert bench.ticks() == []
    assert bench.gaps()[-1] == ("2026-11-22 12:00", "2026-11-24 08:00", ticks.PAUSED)


async def test_what_is_no_cron_may_be_paused_before_it_is_one() -> None:
    bench = Bench("2026-11-20 12:00")
    await bench.start()
    await pause(bench)
    await bench.crons.set_functions([cron(DAILY)])
    await bench.pass_until("2026-11-21 12:00")

    assert (bench.ticks(), bench.crons.upcoming()) == ([], [])


# In the same instant.


async def test_a_pause_that_the_writer_has_first_skips_the_tick_of_that_instant() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(DAILY))
    bench.set_clock("2026-11-23 08:00:00.000500")
    on_disk(bench, "pause")
    await bench.crons.fire_due()

    assert bench.ticks() == []
    assert bench.gaps()[1:] == [("2026-11-22 12:00", "2026-11-23 08:00", ticks.PAUSED)]


async def test_a_tick_that_the_writer_has_first_is_run() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(DAILY))
    await bench.wake_at("2026-11-23 08:00")
    await pause(bench)
    await bench.pass_until("2026-11-23 12:00")

    assert bench.ticks() == ["2026-11-23 08:00"]
    assert len(bench.gaps()) == 1


async def test_a_resume_that_the_writer_has_first_lets_no_tick_of_the_pause_run() -> None:
    bench = Bench("2026-11-22 12:00:30")
    await bench.start(cron(MINUTELY))
    await pause(bench)
    bench.set_clock("2026-11-22 12:05:10")
    on_disk(bench, "resume")
    await bench.crons.fire_due()
    await bench.pass_until("2026-11-22 12:06:30")

    assert bench.ticks() == ["2026-11-22 12:06"]
    assert bench.gaps()[1:] == [("2026-11-22 12:00:30", "2026-11-22 12:05", ticks.PAUSED)]


async def test_a_tick_at_the_moment_of_the_resume_has_passed() -> None:
    bench = Bench("2026-11-22 12:00:30")
    await bench.start(cron(MINUTELY))
    await pause(bench)
    bench.set_clock("2026-11-22 12:01")
    await resume(bench)
    await bench.pass_until("2026-11-22 12:02:30")

    assert bench.ticks() == ["2026-11-22 12:02"]


async def test_a_pause_between_two_turns_of_many_crons_stops_those_that_come_after_it() -> None:
    bench = Bench("2026-11-22 12:00")
    names = [f"cron_{number:03}" for number in range(500)]
    await bench.start(*(cron(DAILY, name) for name in names))
    bench.set_clock("2026-11-23 08:00")
    bench.writer.before[len(bench.writer.sizes) + 1] = lambda: on_disk(bench, "pause", names[-1])
    await bench.crons.fire_due()

    assert {name for name, _ in bench.memory.rows} == set(names[:-1])
    assert len(bench.memory.rows) == len(names) - 1
    assert [gap.function for gap in bench.memory.gap_rows if gap.reason == ticks.PAUSED] == [names[-1]]


async def test_a_pause_while_functions_are_taken_in_holds() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(DAILY))
    bench.set_clock("2026-11-23 12:00")
    bench.writer.before[len(bench.writer.sizes) + 1] = lambda: on_disk(bench, "pause")
    await bench.start(cron(DAILY))
    await bench.crons.fire_due()

    assert bench.ticks() == []
    assert bench.gaps()[1:] == [("2026-11-22 12:00", "2026-11-23 08:00", MISSED)]


# Stores that refuse, clocks that are set.


async def test_a_pause_that_could_not_be_heeded_is_at_the_next_wake() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(DAILY))
    on_disk(bench, "pause")
    bench.writer.refusals = 1
    await bench.crons.heed_pauses()
    await bench.wake_at("2026-11-22 12:00:01")
    await bench.pass_until("2026-11-23 12:00")

    assert bench.ticks() == []
    assert [note.message for note in bench.told.notes] == ["crons wait for the store", "a cron was paused"]


async def test_a_pause_under_a_clock_that_was_ahead_skips_from_the_first_tick_on() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(DAILY))
    bench.set_clock("2026-11-22 20:00")
    await bench.wake_at("2026-12-22 07:00")
    await pause(bench)
    await bench.wake_at("2026-11-22 20:00")
    await bench.pass_until("2026-11-24 12:00")

    assert "2026-11-23 08:00" not in bench.ticks()
    assert bench.gaps()[-1] == ("2026-11-22 20:00", "2026-11-24 08:00", ticks.PAUSED)


async def test_of_a_runner_that_stood_still_the_ticks_before_the_pause_are_missed() -> None:
    bench = Bench("2026-11-20 12:00")
    await bench.start(cron(DAILY))
    bench.set_clock("2026-11-22 12:00")
    await pause(bench)
    await bench.wake_at("2026-11-23 12:00")

    assert bench.gaps()[1:] == [
        ("2026-11-20 12:00", "2026-11-22 08:00", f"{ticks.STOOD_STILL}; {ticks.BEFORE_PAUSE}"),
        ("2026-11-22 12:00", "2026-11-23 08:00", ticks.PAUSED),
    ]


async def test_the_mark_of_a_paused_cron_is_on_disk() -> None:
    bench = Bench("2026-11-22 12:00")
    await bench.start(cron(DAILY))
    await pause(bench)
    await bench.pass_until("2026-11-24 12:00")
    skipped = bench.mark("0 8 * * *")
    await resume(bench)

    assert (skipped, bench.mark("0 8 * * *")) == ("2026-11-24 08:00", "2026-11-24 12:00")
    assert short(bench.crons.next_us() or 0) == "2026-11-25 08:00"
