"""What a person sees of hostile text, at every width, with and without colour; and what a pipe gets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.command import defer
from tests.acceptance.developing import answering, dev
from tests.acceptance.test_cli_terminal import on_a_terminal
from tests.process.harness import Project

pytestmark = [pytest.mark.process, pytest.mark.timeout(90)]
HOSTILE = r"""
    class Error(Exception): ...
    Error.__name__ = Error.__qualname__ = "Bad\x1b[2J\nname"

    @defer(retry=False)
    async def hostile():
        print("\x1b[2J\x1b]0;title\x07 one\ntwo\r\x9b1A")
        raise Error("\x1b[2J\x1b[1;1H one\ntwo\u2028three\u202e\x9b1A\x85 four")
"""


@pytest.fixture
def hostile(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.write(hostile=HOSTILE)
    project.write(weekly="@defer.cron('0 8 * * MON')\nasync def weekly(): ...\n")
    return project


def is_harmless(line: str) -> bool:
    return all(letter.isprintable() for letter in line)


def test_what_a_function_raises_is_one_harmless_line_of_dev(hostile: Project) -> None:
    with dev(hostile) as running, running.client() as client:
        id = client.run("hostile")
        line = running.next_line(id)

        assert r"Bad\x1b[2J\nname: \x1b[2J\x1b[1;1H one\ntwo\u2028three\u202e\x9b1A\x85 four" in line
    assert [line for line in running.output.split("\n") if not is_harmless(line)] == []
    assert running.output.splitlines() == running.output.split("\n")


def test_a_name_that_is_no_function_cannot_repaint_dev(hostile: Project) -> None:
    with dev(hostile) as running, running.client() as client:
        client.call("gone\x1b[2J\nname", discard_us=1)
        running.next_line(r"gone\x1b[2J\nname", "discarded before it ran")
    assert [line for line in running.output.split("\n") if not is_harmless(line)] == []


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_what_a_function_raises_is_one_harmless_record_of_run(form: str, hostile: Project) -> None:
    defer(hostile.root, "trigger", "hostile")
    answer = defer(hostile.root, "run", "--burst", "--log-format", form)
    messages = [line for line in answer.out.split("\n")[:-1] if "message" in line]

    assert answer.code == 1
    assert len(messages) == len(answer.out.splitlines()) == 3
    assert all(map(is_harmless, messages))


def test_what_a_function_raises_is_harmless_where_it_was_waited_for(hostile: Project) -> None:
    with dev(hostile):
        answer = defer(hostile.root, "trigger", "hostile", "--wait", "--timeout", "30")

    assert answer.code == 6
    assert all(map(is_harmless, answer.err.split("\n")))


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("command", [["list", "--next", "3"], ["check"]], ids=" ".join)
def test_on_a_terminal_nothing_is_wider_than_it(command: list[str], columns: int, hostile: Project) -> None:
    shown = on_a_terminal(hostile.root, *command, env={"COLUMNS": str(columns), "NO_COLOR": "1", "TERM": "xterm"})

    assert max(map(len, shown.split("\r\n"))) <= columns
    assert "weekly" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    "command", [["list"], ["list", "--json"], ["check"], ["check", "--json"], ["trigger", "weekly"]], ids=" ".join
)
def test_a_pipe_gets_data_without_colour_and_talk_elsewhere(command: list[str], hostile: Project) -> None:
    answer = defer(hostile.root, *command)

    assert answer.code == 0
    assert "\x1b" not in answer.out + answer.err
    if "--json" in command:
        json.loads(answer.out)
    elif command[0] == "trigger":
        assert len(answer.out.split()) == 1
    else:
        assert len(answer.out.splitlines()) == 3


def test_calls_of_a_function_that_is_gone_are_shown(hostile: Project) -> None:
    answering(hostile, "gone", 1)
    defer(hostile.root, "trigger", "gone")
    (hostile.folder / "gone.py").unlink()
    answer = defer(hostile.root, "list")

    assert "warning: calls of gone wait, and there is no such function" in answer.err
    assert answer.code == 0
