"""No stored text can forge or repaint a line of any command, in a pipe or on a terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.acceptance.command import defer, living, write_function
from tests.acceptance.staging import FAR_US, begin, end, error, printed, put
from tests.acceptance.storing import stored
from tests.acceptance.test_cli_terminal import on_a_terminal

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]
FORGED = "forged"
HOSTILE = (
    "a\x1b[2J\x1b]0;title\x07\x1b[1;1H\x9b1A\x90q\x9c\x85\x00\x7f\x08\t\v\f\r\n"
    f"{FORGED} line\r{FORGED} line\u2028{FORGED} line\u2029{FORGED} line\u202e\u2066\u200e\u200f\u061c\ufeff end"
)
OWN = re.compile(r"\x1b\[\d{1,2}m|\r\x1b\[K\r?")
"""Colours, and a line of progress that is written anew."""

# What is looked at: for the id of each execution by name, the words of a command.
LOOKS = [
    "executions",
    "executions --json",
    "executions --state failed --metadata {metadata}",
    "show {failed}",
    "show {failed}.1",
    "show {failed} --json",
    "show {succeeded}",
    "show {waiting}",
    "show {child}",
    "show {hostile_id}",
    "show {missing}",
    "logs {failed}",
    "logs {failed}.1 --tail 1",
    "logs {failed} --json",
    "logs {hostile_id}",
    "logs {failed} --follow",
    "list",
    "doctor",
]
TABLES = ["executions", "show {failed}", "show {child}"]
CHANGES = [
    "cancel {waiting}",
    "cancel {missing}",
    "reschedule {hostile_id}",
    "reschedule {succeeded}",
    "rerun {failed}",
    "rerun {missing}",
    "cancel --all --yes --function {function}",
    "prune --older-than 0s --yes",
]


@pytest.fixture
def names(project: Path) -> dict[str, str]:
    """Fill the store with hostile text in every field; return what commands are to name."""
    raised = error(HOSTILE, type=HOSTILE, traceback=f"In your code:\n{HOSTILE}", location=HOSTILE)
    fields = {"metadata": {"key": HOSTILE, HOSTILE: "value"}}
    with stored(project) as store:
        put(store, HOSTILE, HOSTILE, [{HOSTILE: HOSTILE}], kwargs={HOSTILE: HOSTILE}, **fields)
        running = begin(store, HOSTILE, runner=HOSTILE)
        printed(store, running, ("stdout", HOSTILE), (HOSTILE, HOSTILE), ("stderr", f"{HOSTILE}\n"))
        end(store, running, "retry", error=raised, scheduled_us=running.started_us, charged=1)
        running = begin(store, HOSTILE, runner=HOSTILE)
        printed(store, running, ("logging", HOSTILE), dropped=3)
        end(store, running, "fail", error=raised)
        failed = running.id
        succeeded = put(store, "greet", HOSTILE)
        end(store, begin(store, "greet"), "succeed", result=json.dumps({HOSTILE: [HOSTILE]}).encode())
        child = put(store, HOSTILE, parent=HOSTILE, came_from="rerun", scheduled_us=FAR_US)
        waiting = put(store, HOSTILE, scheduled_us=FAR_US, **fields)
        hostile_id = put(store, "greet", id=HOSTILE.replace("\x00", ""), scheduled_us=FAR_US)
    return {
        "failed": failed,
        "succeeded": succeeded,
        "child": child,
        "waiting": waiting,
        "hostile_id": hostile_id,
        "missing": f"no{hostile_id}",
        "function": HOSTILE.replace("\x00", ""),
        "metadata": "key=" + HOSTILE.replace("\x00", ""),
    }


def check_is_harmless(text: str) -> None:
    """Fail when a line holds what a terminal acts on, or begins as only our own lines may."""
    assert [line for line in text.split("\n") if not all(letter.isprintable() for letter in line)] == []
    assert [line for line in text.split("\n") if line.lstrip().startswith(FORGED)] == []


def filled(command: str, names: dict[str, str]) -> list[str]:
    return [word.format(**names) for word in command.split()]


@pytest.mark.parametrize("command", [*LOOKS, *CHANGES])
def test_a_pipe_gets_harmless_lines(command: str, names: dict[str, str], project: Path) -> None:
    answer = defer(project, *filled(command, names))

    check_is_harmless(answer.out)
    check_is_harmless(answer.err)
    assert answer.out + answer.err != ""
    assert "this is a fault in defer" not in answer.err
    if "--json" in command:
        json.loads(answer.out)


@pytest.mark.parametrize(
    ("columns", "command"),
    [*((80, command) for command in [*LOOKS, *CHANGES]), *((width, look) for width in (40, 200) for look in TABLES)],
)
def test_a_terminal_shows_harmless_lines(columns: int, command: str, names: dict[str, str], project: Path) -> None:
    shown = on_a_terminal(project, *filled(command, names), env={"TERM": "xterm", "COLUMNS": str(columns)})

    check_is_harmless(OWN.sub("", shown.replace("\r\n", "\n")))


def test_every_text_is_shown_spelled_out(names: dict[str, str], project: Path) -> None:
    spelled = r"a\x1b[2J\x1b]0;title\x07"

    for command in ("executions", "show {failed}", "show {succeeded}", "show {child}", "logs {failed}"):
        answer = defer(project, *filled(command, names))
        assert spelled in answer.out or r"a\u001b[2J\u001b]0;title\u0007" in answer.out, command


def test_what_is_waited_for_is_harmless(project: Path) -> None:
    write_function(
        project, "hostile", f"@defer(retry=False)\nasync def hostile(text):\n    return {HOSTILE!r} + text\n"
    )
    write_function(
        project, "raising", f"@defer(retry=False)\nasync def raising():\n    raise ValueError({HOSTILE!r})\n"
    )

    with living(project, "run", "--port", "off", ready="runner ready"):
        for words in (["hostile", HOSTILE.replace("\x00", "")], ["raising"]):
            answer = defer(project, "trigger", *words, "--wait", "--timeout", "60")
            assert answer.code == (0 if words[0] == "hostile" else 6)
            check_is_harmless(answer.out)
            check_is_harmless(answer.err)
