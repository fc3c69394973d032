"""`defer check`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.command import defer, write_function


@pytest.fixture
def broken_project(project: Path) -> Path:
    write_function(project, "late", '@defer.cron("0 25 * * *")\nasync def late() -> None: ...\n')
    write_function(project, "plain", "@defer\ndef plain() -> None: ...\n")
    return project


def test_a_right_project_exits_0(project: Path) -> None:
    answer = defer(project, "check")

    assert answer.code == 0
    assert answer.err == "3 functions, no problems\n"


def test_all_problems_are_shown_at_once(broken_project: Path) -> None:
    answer = defer(broken_project, "check")

    assert answer.code == 3
    assert "error[DEF006]: " in answer.err
    assert "error[DEF004]: " in answer.err


def test_a_problem_says_where_and_how_to_mend_it(broken_project: Path) -> None:
    lines = defer(broken_project, "check").err.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("error[DEF006]"))

    assert lines[head + 1].startswith("  where: src/defer/late.py:")
    assert lines[head + 2].startswith("  mend:  ")


def test_json_is_one_document(broken_project: Path) -> None:
    answer = defer(broken_project, "check", "--json")
    document = json.loads(answer.out)

    assert (answer.code, answer.err) == (3, "")
    assert {function["name"] for function in document["functions"]} >= {"greet", "weekly"}
    assert {problem["code"] for problem in document["problems"]} == {"DEF004", "DEF006"}
    assert all({"code", "problem", "where", "mend"} <= problem.keys() for problem in document["problems"])


def test_a_warning_does_not_fail(project: Path) -> None:
    write_function(project, "send", "async def send() -> None: ...\n\n\ndefault = defer(send)\n")
    answer = defer(project, "check")

    assert answer.code == 0
    assert "warning" in answer.err


def test_it_starts_nothing(project: Path) -> None:
    defer(project, "check")

    assert not (project / ".defer").exists()
