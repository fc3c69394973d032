"""`defer doctor`: what it sees, that it changes nothing, and that it works when everything else is broken."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from defer_cli.link.inbox import refuse_entry, write_entry
from defer_cli.link.project import DataFolder
from defer_cli.store.sqlite.migrations import MIGRATIONS
from tests.acceptance.command import Answer, defer, living, write_function
from tests.acceptance.storing import answered, store_of_schema, stored
from tests.store.harness import call, insert

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]
READY = 'message="runner ready"'


def seen(answer: Answer) -> dict[str, list[dict[str, Any]]]:
    """Return the findings by the name of their check."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in json.loads(answer.out)["checks"]:
        found.setdefault(one["check"], []).append(one)
    return found


def level_and_words(answer: Answer, check: str) -> tuple[str, str]:
    (one,) = seen(answer)[check]
    return one["level"], one["message"]


def traces(folder: Path) -> dict[str, str]:
    """Return every file below a folder with what it holds; SQLite's shared memory is nobody's data."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "a folder"
        for path in sorted(folder.rglob("*"))
        if "__pycache__" not in path.parts and not path.name.endswith("-shm") and not path.is_socket()
    }


def test_a_new_project_is_well_and_nothing_is_made(project: Path) -> None:
    before = traces(project)
    answer = defer(project, "doctor")

    assert (answer.code, answer.err) == (0, "no problems\n")
    assert "made when it is needed" in answer.out
    assert traces(project) == before


def test_every_line_fits_a_narrow_terminal_and_every_fault_has_its_mend(project: Path) -> None:
    (project / ".env").write_bytes(b"\xff\xfe")
    told = answered(project, ["doctor", "--port", "none"], env={"COLUMNS": "80", "NO_COLOR": "1"})
    checks = json.loads(defer(project, "doctor", "--port", "none", "--json").out)

    assert told.code == 1
    assert [line for line in told.out.splitlines() if len(line) > 80 and str(project) not in line] == []
    assert "\x1b" not in told.out
    assert checks["problems"] == sum(one["level"] == "problem" for one in checks["checks"]) > 0
    assert all((one["mend"] is None) == (one["level"] == "ok") for one in checks["checks"])


def test_a_terminal_has_colour(project: Path) -> None:
    assert "\x1b[32mok" in answered(project, ["doctor"]).out


def test_a_runner_that_lives_is_told_with_what_it_does(project: Path) -> None:
    with living(project, "run", ready=READY) as runner:
        defer(project, "trigger", "greet", "Ada", "--delay", "1h")
        answer = defer(project, "doctor", "--json", "--check")

    assert answer.code == 0
    assert level_and_words(answer, "runner")[1].startswith(f"alive: pid {runner.process.pid}, ")
    assert level_and_words(answer, "database")[1].endswith(", no damage")
    assert level_and_words(answer, "queue") == ("ok", "1 waiting, 0 of them due")


def test_a_runner_that_hangs_is_a_problem_and_the_rest_is_looked_at(project: Path) -> None:
    with living(project, "run", ready=READY) as runner:
        runner.process.send_signal(signal.SIGSTOP)
        try:
            answer = defer(project, "doctor", "--json")
        finally:
            runner.process.send_signal(signal.SIGCONT)

    assert answer.code == 1
    assert level_and_words(answer, "runner") == ("problem", "the runner does not answer")
    assert seen(answer).keys() >= {"database", "inbox", "clock", "functions"}


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGKILL])
def test_what_a_runner_left_is_looked_at_without_a_trace(signal_number: int, project: Path) -> None:
    with living(project, "run", ready=READY) as runner:
        defer(project, "trigger", "greet", "Ada", "--wait")
        runner.process.send_signal(signal_number)
        runner.process.wait(60)
    before = traces(project)
    answer = defer(project, "doctor", "--json")
    level, words = level_and_words(answer, "runner")

    assert answer.code == 0
    assert (level, words.startswith("none is alive; the last one ")) == ("warning", True)
    assert words.endswith("was killed") is (signal_number == signal.SIGKILL)
    assert level_and_words(answer, "database")[1].endswith(", no damage")
    assert traces(project) == before


def test_what_is_due_without_a_runner_and_what_has_no_function_is_a_warning(project: Path) -> None:
    with stored(project) as store:
        insert(store, call("greet"), call("gone\x1b[31m"))
    queue = seen(defer(project, "doctor", "--json"))["queue"]

    assert [one["level"] for one in queue] == ["warning", "warning"]
    assert queue[0]["message"].startswith("2 waiting, 2 of them due, the oldest for ")
    assert queue[1]["message"] == r"1 of gone\x1b[31m wait, and there is no such function"


def test_refused_calls_are_shown_with_their_reason(project: Path) -> None:
    folder = DataFolder(str(project / ".defer"))
    name = write_entry(folder, [call("greet")])
    refuse_entry(folder, name, "the key 'k' is held by other\narguments \x1b[2J")
    write_entry(folder, [call("greet")])
    answer = defer(project, "doctor", "--json")
    (refused,) = seen(answer)["refused calls"]

    assert level_and_words(answer, "inbox") == ("ok", "1 file of calls, for the next runner or command")
    assert refused["message"] == r"the key 'k' is held by other · arguments \x1b[2J"
    assert name in refused["mend"]


def damaged(database: Path) -> None:
    with database.open("r+b") as file:
        file.seek(4096 * 10)
        file.write(b"\xa5" * 4096)


def foreign(database: Path) -> None:
    database.write_bytes(b"nothing that SQLite knows" * 1_000)


def newer(database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("harm", "words"),
    [(damaged, "the database is damaged"), (foreign, "file is not a database"), (newer, "has schema 99")],
)
def test_a_database_that_cannot_be_used_is_a_problem(harm: Callable[[Path], None], words: str, project: Path) -> None:
    with stored(project):
        pass
    harm(project / ".defer" / "defer.db")
    before = traces(project)
    answer = defer(project, "doctor", "--json")
    level, told = level_and_words(answer, "database")

    assert answer.code == 1
    assert (level, words in told) == ("problem", True)
    assert seen(answer)["database"][0]["mend"]
    assert "functions" in seen(answer)
    assert traces(project) == before


@pytest.mark.parametrize("schema", range(1, len(MIGRATIONS)))
def test_a_database_of_an_older_version_is_looked_at_and_left_as_it_is(schema: int, project: Path) -> None:
    connection = store_of_schema(project, schema)
    connection.execute("INSERT INTO counters (function, state, count) VALUES ('weekly', 'created', 3)")
    connection.close()
    answer = defer(project, "doctor", "--json")
    told = {name: level_and_words(answer, name) for name in ("database", "queue")}

    assert told["database"][0] == "ok"
    assert f"schema {schema} (the next owner brings it to {len(MIGRATIONS)})" in told["database"][1]
    assert told["queue"] == ("warning", "3 waiting")


def test_without_a_project_it_says_so_and_looks_at_the_machine(tmp_path: Path) -> None:
    answer = defer(tmp_path, "doctor", "--json")

    assert answer.code == 1
    assert level_and_words(answer, "project")[0] == "problem"
    assert seen(answer).keys() >= {"python", "sqlite", "memory"}


def test_a_data_folder_that_is_named_needs_no_project(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with stored(project):
        pass
    answer = defer(tmp_path_factory.mktemp("elsewhere"), "doctor", "--json", "--data", str(project / ".defer"))

    assert answer.code == 0
    assert level_and_words(answer, "database")[0] == "ok"


@pytest.mark.parametrize(
    ("pyproject", "words"),
    [
        ("[tool.defer", "it is not valid TOML"),
        ("[tool.defer]\nworker = 2\n", "there is no such setting"),
        ("[tool.defer]\nworkers = 'many'\n", "'many' is not a number"),
        ("[tool]\ndefer = 3\n", "tool.defer is 3"),
    ],
)
def test_a_setting_that_is_wrong_hides_nothing_else(pyproject: str, words: str, project: Path) -> None:
    (project / "pyproject.toml").write_text(pyproject)
    with stored(project):
        pass
    answer = defer(project, "doctor", "--json")
    (wrong,) = seen(answer)["settings"]

    assert answer.code == 1
    assert (wrong["level"], words in wrong["message"]) == ("problem", True)
    assert level_and_words(answer, "database")[0] == "ok"
    assert seen(answer)["functions"]


def test_each_setting_is_told_with_its_source_and_a_token_without_its_value(project: Path) -> None:
    (project / ".env").write_text("DEFER_SLOTS=7\nDEFER_TOKEN=not-here\n")
    answer = defer(project, "doctor", "--json", env={"DEFER_PORT": "off", "DEFER_TOKEN": "s3cret"})
    told = [one["message"] for one in seen(answer)["setting"]]

    assert "DEFER_SLOTS in .env: 7" in told
    assert "DEFER_PORT in the environment: off" in told
    assert "[tool.defer] workers in pyproject.toml: 1" in told
    assert level_and_words(answer, ".env")[0] == "warning"
    assert "s3cret" not in answer.out
    assert "not-here" not in answer.out


def test_a_port_that_is_taken_is_told(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = defer(project, "doctor", "--json", "--port", str(taken.getsockname()[1]))

    assert level_and_words(answer, "port")[0] == "warning"
    assert "address already in use" in level_and_words(answer, "port")[1]


def test_a_folder_that_others_may_read_is_a_warning_with_the_command_that_mends_it(project: Path) -> None:
    with stored(project):
        pass
    os.chmod(project / ".defer", 0o755)
    (open_folder,) = seen(defer(project, "doctor", "--json"))["permissions"]

    assert (open_folder["level"], open_folder["mend"]) == ("warning", f"chmod 700 {project / '.defer'}")


def test_breaches_of_the_rule_are_problems(project: Path) -> None:
    write_function(project, "other", "x = (\n")
    answer = defer(project, "doctor", "--json")
    level, words = level_and_words(answer, "functions")

    assert (answer.code, level) == (1, "problem")
    assert words.startswith("src/defer/other.py:")
    assert "DEF008" in words
