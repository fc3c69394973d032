"""`defer show ID`: one execution, whole, for a person and for a program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.command import defer, living, write_function
from tests.acceptance.staging import FAR_US, begin, end, error, put
from tests.acceptance.storing import stored
from tests.acceptance.test_cli_terminal import on_a_terminal

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]
MASK = "•••"
READY = 'message="runner ready"'
SECOND_US = 1_000_000


@pytest.fixture
def retried(project: Path) -> str:
    """Return the id of an execution that failed, was interrupted, and failed for good."""
    with stored(project) as store:
        id = put(store, "broken", 1, metadata={"user": "12"})
        first = begin(store, "broken")
        end(store, first, "retry", error=error("first"), scheduled_us=first.started_us, charged=1)
        end(store, begin(store, "broken", runner="vm-2"), "interrupt", charged=1)
        last = error("last\nline", traceback="In your code:\n  mine\n\nThe whole traceback:\n  mine\n  theirs\n")
        end(store, begin(store, "broken", runner="vm-3"), "fail", error=last, charged=1)
    return id


def test_a_success_is_told_with_what_went_in_and_came_out(project: Path) -> None:
    with stored(project) as store:
        id = put(store, "greet", "Ada", kwargs={"times": 2}, metadata={"user": "12", "week": "47"})
        end(store, begin(store, "greet"), "succeed", seconds=1.5, result=b'"AdaAda"')
    answer = defer(project, "show", id)
    lines = [line.split(maxsplit=1) for line in answer.out.splitlines() if line]

    assert (answer.code, answer.err) == (0, "")
    assert lines[0] == ["greet", "succeed"]
    assert ["id", id] in lines
    assert ["came", "from      call"] in lines
    assert ["metadata", "user=12 week=47"] in lines
    assert ["attempts", "1"] in lines
    assert ["runner", "vm-1"] in lines
    assert '  name = "Ada"\n  times = 2\n' in answer.out
    assert answer.out.endswith('result\n  "AdaAda"\n')
    assert "ran 1.5 s" in answer.out


def test_every_attempt_is_told_with_what_ended_it(retried: str, project: Path) -> None:
    answer = defer(project, "show", retried)
    rows = [line for line in answer.out.splitlines() if line[:1].isdigit()]

    assert "attempts       3, 1 retry used\n" in answer.out
    assert [row.split("  ")[0] for row in rows] == ["1", "2", "3"]
    assert "failed, retried" in rows[0]
    assert "ValueError: first" in rows[0]
    assert "interrupted" in rows[1]
    assert r"ValueError: last\nline" in rows[2]
    assert "src/defer/broken.py:3" in rows[2]


def test_a_failure_shows_the_users_lines_first_and_quotes_all(retried: str, project: Path) -> None:
    answer = defer(project, "show", retried)

    assert "\nerror\n  | ER0003 ValueError: last\n  | line\n  at src/defer/broken.py:3\n" in answer.out
    assert "\n  | In your code:\n  |   mine\n  … 2 more lines: " in answer.out
    assert "theirs" not in answer.out


def test_what_waits_for_a_retry_shows_why(project: Path) -> None:
    with stored(project) as store:
        id = put(store, "broken")
        running = begin(store, "broken")
        end(store, running, "retry", error=error(), scheduled_us=running.started_us + 3_600 * SECOND_US, charged=1)
    answer = defer(project, "show", id)

    assert answer.out.startswith("broken  created, waits for its retry, due in ")
    assert "error of attempt 1\n  | ER0003 ValueError: no way\n" in answer.out


def test_one_attempt_is_an_execution_of_its_own(retried: str, project: Path) -> None:
    answer = defer(project, "show", f"{retried}.1")

    assert answer.out.startswith("broken  failed\n")
    assert f"attempt        1 of {retried}\n" in answer.out
    assert "| ER0003 ValueError: first" in answer.out
    assert json.loads(defer(project, "show", f"{retried}.2", "--json").out)["state"] == "aborted"


def test_a_program_gets_everything(retried: str, project: Path) -> None:
    shown = json.loads(defer(project, "show", retried, "--json").out)

    assert (shown["id"], shown["state"], shown["attempt"], shown["charged"]) == (retried, "failed", 3, 1)
    assert shown["arguments"] == {"args": [1], "kwargs": {}, "names": [""]}
    assert shown["error"]["traceback"].endswith("theirs\n")
    assert [attempt["outcome"] for attempt in shown["attempts"]] == ["retry", "interrupt", "fail"]
    assert shown["children"] == {}


def test_a_program_gets_all_attempts_and_a_person_the_last_ten(project: Path) -> None:
    with stored(project) as store:
        id = put(store, "broken")
        for _ in range(23):
            running = begin(store, "broken")
            end(store, running, "retry", error=error("x" * 60_000), scheduled_us=running.started_us, charged=1)
    answer = defer(project, "show", id)
    with living(project, "run", "--port", "off", ready=READY):
        shown = json.loads(defer(project, "show", id, "--json").out)

    assert "… 13 earlier attempts: --json shows all" in answer.out
    assert [attempt["number"] for attempt in shown["attempts"]][:23] == list(range(1, 24))


def test_children_are_counted_and_can_be_listed(project: Path) -> None:
    with stored(project) as store:
        parent = put(store, "greet")
        child = put(store, "weekly", parent=parent, scheduled_us=FAR_US)
        put(store, "broken", parent=parent)
        end(store, begin(store, "broken"), "fail", error=error())
    answer = defer(project, "show", parent)

    assert "children       1 created, 1 failed\n" in answer.out
    assert answer.err == f"children: defer executions --parent {parent}\n"
    assert f"came from      call in {parent}\n" in defer(project, "show", child).out


def test_secrets_are_masked_by_the_names_of_parameters_and_keys(project: Path) -> None:
    write_function(
        project,
        "login",
        "raise SystemExit('never imported')\n\n@defer\nasync def login(user, password, *tokens, **more): ...\n",
    )
    with stored(project) as store:
        id = put(store, "login", "ada", "s3cret", "s3cret", [{"pin": "s3cret"}], kwargs={"api_key": "s3cret", "n": 1})
        end(store, begin(store, "login"), "succeed", result=b'{"token": "s3cret", "ok": [{"password": "s3cret"}]}')
    text, document = defer(project, "show", id), defer(project, "show", id, "--json")
    shown = json.loads(document.out)

    assert "s3cret" not in text.out + document.out
    assert shown["arguments"]["args"] == ["ada", MASK, MASK, MASK]
    assert shown["arguments"]["kwargs"] == {"api_key": MASK, "n": 1}
    assert shown["arguments"]["names"] == ["user", "password", "tokens", "tokens"]
    assert shown["result"] == {"token": MASK, "ok": [{"password": MASK}]}
    assert f'  user = "ada"\n  password = "{MASK}"\n' in text.out


@pytest.mark.parametrize("is_variable", [True, False])
def test_a_project_may_call_more_names_secret(is_variable: bool, project: Path) -> None:
    with stored(project) as store:
        id = put(store, "greet", {"iban": "s3cret", "customerTaxId": "s3cret", "name": "Ada"})
    if not is_variable:
        with (project / "pyproject.toml").open("a") as settings:
            settings.write('mask = "iban, tax_id"\n')
    answer = defer(project, "show", id, env={"DEFER_MASK": "iban, tax_id"} if is_variable else {})

    assert "s3cret" not in answer.out
    assert "Ada" in answer.out


def test_what_is_large_is_bounded_for_a_person_only(project: Path) -> None:
    with stored(project) as store:
        id = put(store, "greet", "x" * 1_000_000)
        result = json.dumps([{"number": number, "text": "y" * 50} for number in range(5_000)]).encode()
        end(store, begin(store, "greet"), "succeed", result=result)
    shown = on_a_terminal(project, "show", id, env={"TERM": "xterm", "NO_COLOR": "1"}, columns=80)

    assert max(map(len, shown.split("\r\n"))) <= 80
    assert shown.count("\n") < 60
    assert " more lines: --json shows all" in shown
    assert len(json.loads(defer(project, "show", id, "--json").out)["result"]) == 5_000


def test_small_values_stand_side_by_side(project: Path) -> None:
    with stored(project) as store:
        id = put(store, "greet", list(range(40)), {"a": {"b": [1, 2]}})
    shown = on_a_terminal(project, "show", id, env={"TERM": "xterm", "NO_COLOR": "1"}, columns=80)
    begun = shown.index("arguments")

    assert len([line for line in shown[begun:].split("\r\n") if "0, 1, 2" in line or "39" in line]) == 2
    assert '{"a": {"b": [1, 2]}}' in shown


@pytest.mark.parametrize(
    ("id", "mend"),
    [
        ("abc", "an id has 26 characters, this has 3"),
        ("01m8aqk4rr520155ht1xqr1y3u", "never i, l, o and u"),
        ("01m8aqk4rr520155ht1xqr1y3y", "it may have been pruned"),
    ],
)
@pytest.mark.parametrize("command", ["show", "logs"])
@pytest.mark.parametrize("is_empty", [True, False])
def test_an_id_that_is_not_there_exits_4(id: str, mend: str, command: str, is_empty: bool, project: Path) -> None:
    if not is_empty:
        with stored(project) as store:
            put(store, "greet")
    answer = defer(project, command, id)

    assert (answer.code, answer.out) == (4, "")
    assert answer.err.startswith(f"error: no execution has the id '{id}'\n  mend:  ")
    assert mend in answer.err


def test_an_attempt_that_is_not_there_exits_4(retried: str, project: Path) -> None:
    answer = defer(project, "show", f"{retried}.9")

    assert answer.code == 4
    assert f"`defer show {retried}` lists its attempts" in answer.err


def test_an_id_may_come_in_capitals_and_with_blanks(project: Path) -> None:
    id = "01m8aqk4rr520155ht1xqr1y3y"
    with stored(project) as store:
        put(store, "greet", id=id)

    assert defer(project, "show", f" {id.upper()} ").code == 0


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_nothing_is_wider_than_the_terminal(columns: int, retried: str, project: Path) -> None:
    shown = on_a_terminal(project, "show", retried, env={"TERM": "xterm", "NO_COLOR": "1"}, columns=columns)

    assert max(map(len, shown.split("\r\n"))) <= columns
    assert "\x1b" not in shown
