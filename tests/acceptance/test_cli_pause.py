"""`defer pause` and `defer resume`: with a runner and without one, over restarts and a kill."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from defer_cli.domain.ticks import PAUSED
from tests.acceptance.command import Living, defer, living, write_function
from tests.process.harness import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]
READY = 'message="runner ready"'
DAY_US = 86_400 * 1_000_000


def listed(project: Path, name: str = "weekly") -> dict[str, Any]:
    (entry,) = [one for one in json.loads(defer(project, "list", "--json").out) if one["name"] == name]
    return dict(entry)


def rows(project: Path, statement: str, *values: object) -> list[Any]:
    database = sqlite3.connect(project / ".defer" / "defer.db")
    try:
        with database:
            return database.execute(statement, values).fetchall()
    finally:
        database.close()


def days_pass(project: Path, days: int) -> None:
    """Have all that is known of the daily cron happen some days ago."""
    rows(project, "UPDATE crons SET mark_us = mark_us - ? WHERE function = 'daily'", days * DAY_US)
    rows(project, "UPDATE paused SET since_us = since_us - ?", days * DAY_US)
    rows(project, "UPDATE gaps SET after_us = after_us - ?1, until_us = until_us - ?1", days * DAY_US)


def gaps(project: Path) -> list[tuple[int, str]]:
    """Return the days that each gap took, and its reason, oldest first; that of the first sight is left out."""
    found = rows(project, "SELECT until_us - after_us, reason FROM gaps WHERE until_us > after_us ORDER BY number")
    return [(round(span / DAY_US), reason) for span, reason in found]


def run_once(project: Path) -> None:
    with living(project, "run", ready=READY) as runner:
        assert runner.stop() == 0


@pytest.fixture
def daily(project: Path) -> Path:
    """Return a project with a cron that fires once a day, and not while this runs."""
    hour = (datetime.now(UTC).hour + 12) % 24
    write_function(project, "daily", f"@defer.cron('0 {hour} * * *')\nasync def daily(): ...\n")
    return project


def test_a_pause_is_shown_and_a_resume_ends_it(project: Path) -> None:
    paused = defer(project, "pause", "weekly")
    shown, data = defer(project, "list").out, listed(project)
    resumed = defer(project, "resume", "weekly")

    assert (paused.code, paused.out) == (resumed.code, resumed.out) == (0, "weekly\n")
    assert "`defer resume weekly`" in paused.err
    assert "paused since 20" in shown
    assert data["next"] == []
    assert datetime.now(UTC) - datetime.fromisoformat(data["paused_since"]) < timedelta(minutes=2)
    assert "resumed: its next tick is 20" in resumed.err
    assert listed(project)["paused_since"] is None
    assert len(listed(project)["next"]) == 1


def test_both_are_told_as_data(project: Path) -> None:
    first, again, resumed, not_paused = [
        json.loads(defer(project, word, "weekly", "--json").out) for word in ("pause", "pause", "resume", "resume")
    ]

    assert first == [{"name": "weekly", "paused_since": first[0]["paused_since"], "changed": True}]
    assert again == [first[0] | {"changed": False}]
    assert [(one["name"], len(one["next"]), one["changed"]) for one in resumed + not_paused] == [
        ("weekly", 1, True),
        ("weekly", 1, False),
    ]


def test_what_is_so_already_is_no_error(project: Path) -> None:
    defer(project, "pause", "weekly")
    paused = defer(project, "pause", "weekly")
    defer(project, "resume", "weekly")
    resumed = defer(project, "resume", "weekly")

    assert (paused.code, resumed.code) == (0, 0)
    assert "paused already since 20" in paused.err
    assert "was not paused" in resumed.err


def test_a_resume_where_nothing_was_stored_makes_nothing(project: Path) -> None:
    assert defer(project, "resume", "weekly").code == 0
    assert not (project / ".defer").exists()


@pytest.mark.parametrize("word", ["pause", "resume"])
@pytest.mark.parametrize(
    ("name", "code", "told"),
    [("wekly", 4, "did you mean 'weekly'?"), ("greet", 2, "greet is no cron"), ("zzz", 4, "known functions: weekly")],
    ids=["mistyped", "no-cron", "unknown"],
)
def test_a_wrong_name_changes_nothing(project: Path, word: str, name: str, code: int, told: str) -> None:
    answer = defer(project, word, "weekly", name)

    assert (answer.code, answer.out) == (code, "")
    assert told in answer.err
    assert not (project / ".defer").exists()


def test_a_broken_file_keeps_its_pause_and_may_be_paused(project: Path) -> None:
    write_function(project, "weekly", "@defer.cron('0 25 * * *')\nasync def weekly(): ...\n")
    paused = defer(project, "pause", "weekly")

    assert (paused.code, paused.out) == (0, "weekly\n")
    assert "weekly is broken now" in paused.err
    assert rows(project, "SELECT function FROM paused") == [("weekly",)]


def test_a_pause_of_what_is_gone_is_told_and_can_be_forgotten(project: Path) -> None:
    defer(project, "pause", "weekly")
    (project / "src" / "defer" / "weekly.py").unlink()
    told = defer(project, "list").err
    resumed = defer(project, "resume", "weekly")

    assert "weekly is paused, and there is no such function" in told
    assert "there is no such cron now" in resumed.err
    assert rows(project, "SELECT * FROM paused") == []


# With a runner.


def test_a_runner_obeys_and_tells_it(project: Path) -> None:
    with living(project, "run", ready=READY) as runner:
        paused = defer(project, "pause", "weekly")
        runner.line_with('message="a cron was paused" function=weekly')
        data = listed(project)
        resumed = defer(project, "resume", "weekly")
        runner.line_with('message="a cron was resumed" function=weekly')

    assert (paused.code, resumed.code) == (0, 0)
    assert (data["next"], data["paused_since"] is None) == ([], False)


def test_calls_of_a_paused_cron_run(project: Path) -> None:
    defer(project, "pause", "weekly")
    with living(project, "run", "--trigger", "weekly", ready=READY) as runner:
        runner.line_with('message="execution succeeded" function=weekly')
        called = defer(project, "trigger", "weekly", "--wait")

    assert (called.code, called.out.splitlines()[-1]) == (0, "7")


def test_a_paused_cron_is_not_what_fires_next(project: Path) -> None:
    with living(project, "run", ready=READY) as runner:
        before = runner.line_with(READY)
    defer(project, "pause", "weekly")
    with living(project, "run", ready=READY) as runner:
        after = runner.line_with(READY)

    assert "weekly" in before
    assert "weekly" not in after


# Over restarts.


def test_ticks_of_a_pause_without_a_runner_are_skipped_and_a_kill_changes_nothing(daily: Path) -> None:
    run_once(daily)
    defer(daily, "pause", "daily")
    days_pass(daily, 2)
    with living(daily, "run", ready=READY) as runner:
        _kill(runner)
    once = gaps(daily)
    days_pass(daily, 3)
    run_once(daily)

    assert [reason for _, reason in once] == [PAUSED]
    assert [reason for _, reason in gaps(daily)] == [PAUSED]
    assert gaps(daily)[0][0] > once[0][0]
    assert rows(daily, "SELECT * FROM ticks") == []


def test_after_a_resume_without_a_runner_only_what_follows_is_owed(daily: Path) -> None:
    run_once(daily)
    defer(daily, "pause", "daily")
    days_pass(daily, 2)
    defer(daily, "resume", "daily")
    run_once(daily)

    assert [reason for _, reason in gaps(daily)] == [PAUSED]
    assert rows(daily, "SELECT * FROM ticks") == []


@pytest.mark.slow
def test_a_living_runner_skips_a_real_tick_and_after_the_resume_runs_the_next(project: Path) -> None:
    write_function(project, "often", "@defer.cron('* * * * *')\nasync def often(): ...\n")
    with living(project, "run", ready=READY) as runner:
        defer(project, "pause", "often")
        until(lambda: gaps(project) == [(0, PAUSED)], "a skipped tick", seconds=75)
        _kill(runner)
    with living(project, "run", ready=READY) as runner:
        ticks = rows(project, "SELECT * FROM ticks")
        defer(project, "resume", "often")
        runner.line_with('message="execution succeeded" function=often')
    (skipped,) = rows(project, "SELECT until_us FROM gaps WHERE reason = ?", PAUSED)

    assert ticks == []
    assert rows(project, "SELECT min(tick_us) > ? FROM ticks", *skipped) == [(1,)]


def _kill(runner: Living) -> None:
    runner.process.kill()
    runner.process.wait()
