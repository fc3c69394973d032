"""Crons in `defer dev`: no tick is made up for, and a bad save does not stop a schedule."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.acceptance.command import defer
from tests.acceptance.developing import dev
from tests.process.harness import Project

pytestmark = [pytest.mark.process, pytest.mark.timeout(90)]
AFAR = f"0 {(datetime.now(UTC).hour + 12) % 24} * * *"
"""Once a day, and not while this runs."""
DAILY = f"@defer.cron('{AFAR}')\nasync def daily(): ...\n"
TWO_DAYS_US = 2 * 86_400 * 1_000_000


@pytest.fixture
def scheduled(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.write(daily=DAILY)
    return project


def rows(project: Project, statement: str, *values: object) -> list[tuple[object, ...]]:
    database = sqlite3.connect(project.data / "defer.db")
    try:
        with database:
            return database.execute(statement, values).fetchall()
    finally:
        database.close()


def sleep_two_days(project: Project) -> None:
    """Have the cron considered last two days ago."""
    with dev(project):
        pass
    rows(project, "UPDATE crons SET mark_us = mark_us - ?", TWO_DAYS_US)


def test_dev_records_the_gap_and_makes_up_for_nothing(scheduled: Project) -> None:
    sleep_two_days(scheduled)
    with dev(scheduled) as running:
        line = running.until_line("ticks were missed", "daily", "defer dev does not catch up")

    (gap,) = rows(scheduled, "SELECT until_us - after_us FROM gaps WHERE until_us > after_us")
    assert gap[0] >= TWO_DAYS_US  # type: ignore[operator]
    assert rows(scheduled, "SELECT * FROM ticks") == []
    assert " UTC" in line
    assert "+00:00" not in line


def test_what_dev_has_recorded_is_not_made_up_for_by_run(scheduled: Project) -> None:
    sleep_two_days(scheduled)
    with dev(scheduled):
        pass
    with scheduled.run("--workers", "1") as runner:
        assert runner.stop() == 0

    assert rows(scheduled, "SELECT * FROM ticks") == []


def test_run_makes_up_for_the_latest_tick(scheduled: Project) -> None:
    sleep_two_days(scheduled)
    with scheduled.run("--workers", "1") as runner:
        runner.until_line("execution succeeded", "daily")
        assert runner.stop() == 0

    assert rows(scheduled, "SELECT count(*) FROM ticks") == [(1,)]


def test_a_cron_keeps_its_schedule_while_its_file_is_broken(scheduled: Project) -> None:
    with dev(scheduled) as running:
        before = rows(scheduled, "SELECT * FROM crons")
        scheduled.write(daily="@defer.cron('0 25 * * *')\nasync def daily(): ...\n")
        running.next_line("error[DEF006]")
        running.next_line("changed daily.py")
        assert rows(scheduled, "SELECT * FROM crons") == before

        (scheduled.folder / "daily.py").unlink()
        running.next_line("changed daily.py")
        assert rows(scheduled, "SELECT * FROM crons") == []


def test_a_cron_that_is_saved_with_another_schedule_fires_by_it(scheduled: Project) -> None:
    with dev(scheduled) as running:
        scheduled.write(daily=DAILY.replace(AFAR, "0 0 1 1 *"))
        running.next_line("changed daily.py → daily reloaded")

        assert rows(scheduled, "SELECT canonical FROM crons") == [("0 0 1 1 *",)]
    assert "0 0 1 1 *" in defer(scheduled.root, "list").out


def test_a_pause_and_a_resume_are_told_by_name(scheduled: Project) -> None:
    with dev(scheduled) as running:
        defer(scheduled.root, "pause", "daily")
        running.until_line("a cron was paused", "daily")
        defer(scheduled.root, "resume", "daily")
        running.until_line("a cron was resumed", "daily")
