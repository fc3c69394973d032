"""`defer list`."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from defer_cli.store.sqlite.migrations import MIGRATIONS
from tests.acceptance.command import defer, environment, write_function
from tests.acceptance.storing import store_of_schema

FIELDS = (
    "name kind schedule description next paused_since retry concurrency max_duration max_concurrency_action alert"
    " file last"
).split()


def listed(project: Path, *words: str) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in json.loads(defer(project, "list", "--json", *words).out)}


def test_every_function_has_every_field(project: Path) -> None:
    entries = listed(project)

    assert sorted(entries) == ["broken", "greet", "weekly"]
    assert all(list(entry) == FIELDS for entry in entries.values())


def test_a_cron_is_told_with_its_schedule(project: Path) -> None:
    weekly = listed(project, "--next", "3")["weekly"]
    fires = [datetime.fromisoformat(moment) for moment in weekly["next"]]

    assert (weekly["kind"], weekly["schedule"]) == ("cron", "0 8 * * MON")
    assert "08:00" in weekly["description"]
    assert [(fire.weekday(), fire.hour, fire.tzinfo) for fire in fires] == [(0, 8, UTC)] * 3


def test_a_function_has_no_schedule(project: Path) -> None:
    greet = listed(project)["greet"]

    assert (greet["kind"], greet["schedule"], greet["description"], greet["next"]) == ("function", None, None, [])


def test_options_are_told(project: Path) -> None:
    entries = listed(project)

    assert entries["greet"]["retry"]["max_attempts"] == 13
    assert entries["broken"]["retry"]["max_attempts"] == 0
    assert entries["greet"]["max_duration"] == 1800
    assert entries["greet"]["max_concurrency_action"] == "keep"
    assert entries["greet"]["file"] == "src/defer/greet.py"


def test_what_never_ran_has_no_last_execution_and_nothing_is_made(project: Path) -> None:
    assert listed(project)["greet"]["last"] is None
    assert not (project / ".defer").exists()


def test_the_last_execution_is_told(project: Path) -> None:
    id = defer(project, "trigger", "greet", "Ada").out.strip()

    last = listed(project)["greet"]["last"]

    assert (last["id"], last["state"]) == (id, "created")


def test_a_person_reads_utc_and_the_way_from_now(project: Path) -> None:
    out = defer(project, "list").out

    assert "08:00 UTC (in " in out
    assert "never" in out


@pytest.mark.parametrize("columns", ["80", "60", "40"])
def test_a_narrow_terminal_is_not_overrun(columns: str, project: Path) -> None:
    out = defer(project, "list", "--next", "5", env={"COLUMNS": columns}).out

    assert max(map(len, out.splitlines())) <= int(columns)


def test_a_wide_terminal_has_one_line_a_function(project: Path) -> None:
    assert len(defer(project, "list", env={"COLUMNS": "200"}).out.splitlines()) == 4


def test_a_pipe_has_no_colour(project: Path) -> None:
    assert "\x1b" not in defer(project, "list").out


def test_it_loads_nothing_of_the_runner(project: Path) -> None:
    defer(project, "trigger", "greet", "Ada")
    code = "import sys; from defer_cli.cli.__main__ import execute; execute(['list']); print(*sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=project, env=environment(), capture_output=True, text=True, check=True
    )
    loaded = set(shown.stdout.splitlines()[-1].split())

    assert "defer_cli.cli.list" in loaded
    assert loaded.isdisjoint({"defer_cli.assembly", "apscheduler", "watchfiles", "starlette", "uvicorn", "pydantic"})


def test_problems_exit_3_and_the_others_are_listed(project: Path) -> None:
    write_function(project, "late", '@defer.cron("0 25 * * *")\nasync def late() -> None: ...\n')
    answer = defer(project, "list")

    assert answer.code == 3
    assert "weekly" in answer.out
    assert "error[DEF006]" in answer.err


@pytest.mark.parametrize("schema", range(1, len(MIGRATIONS)))
def test_a_database_of_an_older_version_is_read_before_a_runner_has_migrated_it(schema: int, project: Path) -> None:
    store_of_schema(project, schema).close()
    answer = defer(project, "list")

    assert (answer.code, answer.err) == (0, "")
    assert "weekly" in answer.out
