"""`defer run`, `defer dev` and `defer trigger` together."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from tests.acceptance.command import defer, living, write_function

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]
READY = 'message="runner ready"'


def records(out: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.splitlines()]


def test_what_was_triggered_without_a_runner_is_run_by_a_burst(project: Path) -> None:
    triggered = defer(project, "trigger", "greet", "Ada", "2")
    burst = defer(project, "run", "--burst")

    assert "no runner is alive" in triggered.err
    assert burst.code == 0
    assert f'message="execution succeeded" function=greet id={triggered.out.strip()} attempt=1 ' in burst.out


def test_the_id_alone_is_on_stdout(project: Path) -> None:
    answer = defer(project, "trigger", "greet", "Ada")

    assert (answer.code, len(answer.out)) == (0, 27)


def test_a_burst_with_a_failure_exits_1(project: Path) -> None:
    defer(project, "trigger", "broken")
    burst = defer(project, "run", "--burst")

    assert burst.code == 1
    assert r'error="ValueError: no\x1b[31m way" where=src/defer/broken.py:' in burst.out


def test_json_records_are_one_document_a_line(project: Path) -> None:
    defer(project, "trigger", "greet", "Ada")
    burst = defer(project, "run", "--burst", "--log-format", "json")
    (success,) = [record for record in records(burst.out) if record["message"] == "execution succeeded"]

    assert success.keys() == {"time", "level", "message", "function", "id", "attempt", "duration"}


def test_at_warning_a_runner_tells_of_failures_only(project: Path) -> None:
    for name in ("greet", "broken"):
        defer(project, "trigger", name, *(["Ada"] if name == "greet" else []))
    burst = defer(project, "run", "--burst", "--log-level", "warning", "--log-time", "on")

    (line,) = burst.out.splitlines()
    assert re.match(r'time=20\S+Z level=error message="execution failed" function=broken ', line)


def test_at_debug_a_runner_tells_of_starts_too(project: Path) -> None:
    defer(project, "trigger", "greet", "Ada")
    burst = defer(project, "run", "--burst", env={"DEFER_LOG_LEVEL": "debug"})

    assert re.search(r'level=debug message="execution started" function=greet id=\w+ attempt=1 pid=\d+\n', burst.out)


def test_a_burst_fires_the_cron_it_is_told_to(project: Path) -> None:
    burst = defer(project, "run", "--burst", "--trigger", "weekly")

    assert burst.code == 0
    assert 'message="execution succeeded" function=weekly ' in burst.out


@pytest.mark.parametrize(("name", "code", "words"), [("weekli", 4, "did you mean 'weekly'?"), ("greet", 2, "no cron")])
def test_a_wrong_trigger_starts_nothing(name: str, code: int, words: str, project: Path) -> None:
    answer = defer(project, "run", "--burst", "--trigger", name)

    assert (answer.code, answer.out) == (code, "")
    assert words in answer.err


def test_problems_exit_3_and_start_nothing(project: Path) -> None:
    write_function(project, "late", '@defer.cron("0 25 * * *")\nasync def late() -> None: ...\n')
    answer = defer(project, "run")

    assert (answer.code, answer.out) == (3, "")
    assert "error[DEF006]" in answer.err


def test_the_same_key_is_the_same_execution(project: Path) -> None:
    first = defer(project, "trigger", "greet", "Ada", "--key", "k")
    again = defer(project, "trigger", "greet", "Ada", "--key", "k")

    assert (first.code, again.code) == (0, 0)
    assert first.out == again.out
    assert "is held by this execution already" in again.err


def test_the_same_key_with_other_arguments_is_refused(project: Path) -> None:
    defer(project, "trigger", "greet", "Ada", "--key", "k")

    assert defer(project, "trigger", "greet", "Bob", "--key", "k").code == 1


def test_an_unknown_function_exits_4(project: Path) -> None:
    answer = defer(project, "trigger", "gret", "Ada")

    assert (answer.code, answer.out) == (4, "")
    assert "did you mean 'greet'?" in answer.err


@pytest.mark.parametrize("args", [[], ["a", "1", "2"], ["[1"], ['{"a"'], ["--", '"a']])
def test_arguments_that_do_not_fit_exit_2(args: list[str], project: Path) -> None:
    answer = defer(project, "trigger", "greet", *args)

    assert (answer.code, answer.out) == (2, "")


def test_a_wait_without_a_runner_says_so_and_times_out(project: Path) -> None:
    answer = defer(project, "trigger", "greet", "Ada", "--wait", "--timeout", "0.2")

    assert answer.code == 124
    assert "no runner is alive" in answer.err


def test_ctrl_c_ends_a_wait_with_130(project: Path) -> None:
    with living(project, "trigger", "greet", "Ada", "--wait", ready="no runner is alive") as waiting:
        waiting.process.send_signal(signal.SIGINT)

        assert waiting.process.wait(60) == 130


def test_a_damaged_database_exits_5(project: Path) -> None:
    defer(project, "trigger", "greet", "Ada")
    (project / ".defer" / "defer.db").write_bytes(b"nothing that SQLite knows" * 1_000)

    assert defer(project, "trigger", "greet", "Ada").code == 5
    assert defer(project, "run", "--burst").code == 5


def test_a_damaged_database_does_not_hide_the_functions(project: Path) -> None:
    (project / ".defer").mkdir()
    (project / ".defer" / "defer.db").write_bytes(b"nothing that SQLite knows" * 1_000)
    answer = defer(project, "list")

    assert answer.code == 0
    assert "greet" in answer.out
    assert "warning: the last executions are not to be had" in answer.err


def test_a_second_runner_exits_5_with_the_pid_of_the_first(project: Path) -> None:
    with living(project, "run", ready=READY) as runner:
        second = defer(project, "run", "--burst")

    assert second.code == 5
    assert f"pid {runner.process.pid}" in second.err


def test_a_living_runner_answers(project: Path) -> None:
    with living(project, "run", ready=READY) as runner:
        waited = defer(project, "trigger", "greet", "Ada", "2", "--wait", "--timeout", "30")
        id, result = waited.out.splitlines()
        last = {entry["name"]: entry["last"] for entry in json.loads(defer(project, "list", "--json").out)}

        assert (waited.code, json.loads(result)) == (0, "AdaAda")
        assert (last["greet"]["id"], last["greet"]["state"]) == (id, "succeed")
        runner.line_with(f"id={id}")
        assert runner.stop() == 0


def test_a_failure_that_was_waited_for_exits_6(project: Path) -> None:
    with living(project, "run", ready=READY):
        waited = defer(project, "trigger", "broken", "--wait", "--timeout", "30")

    assert waited.code == 6
    assert r"error: broken failed: ValueError: no\x1b[31m way" in waited.err
    assert "where: src/defer/broken.py:" in waited.err


def test_a_wait_tells_of_children(project: Path) -> None:
    write_function(
        project, "slow", "@defer\nasync def slow(n: int) -> int:\n    await asyncio.sleep(1)\n    return n\n"
    )
    write_function(
        project,
        "fan",
        "from .slow import slow\n\n\n@defer\nasync def fan() -> int:\n"
        "    return sum(await asyncio.gather(*[await_result(slow)(n) for n in range(4)]))\n",
    )
    with living(project, "run", ready=READY):
        waited = defer(project, "trigger", "fan", "--wait", "--timeout", "60")

    assert (waited.code, waited.out.splitlines()[1:]) == (0, ["6"])
    assert "children: 4 started" in waited.err


def test_a_wait_goes_on_with_the_runner_that_comes(project: Path) -> None:
    write_function(project, "slow", "@defer\nasync def slow() -> int:\n    await asyncio.sleep(1)\n    return 5\n")
    id = defer(project, "trigger", "slow", "--key", "k").out
    with living(project, "run", ready=READY):
        waited = defer(project, "trigger", "slow", "--key", "k", "--wait", "--timeout", "30")

    assert (waited.code, waited.out) == (0, f"{id}5\n")


def test_dev_tells_a_person_what_happens(project: Path) -> None:
    with living(project, "dev", ready="is ready") as runner:
        runner.line_with("next cron  weekly at ")
        id = defer(project, "trigger", "greet", "Ada").out.strip()
        line = runner.line_with(id)

        assert "  greet   attempt 1  succeed  " in line
        assert runner.stop() == 0


def test_dev_goes_on_with_what_is_right(project: Path) -> None:
    write_function(project, "late", '@defer.cron("0 25 * * *")\nasync def late() -> None: ...\n')
    with living(project, "dev", ready="is ready") as runner:
        runner.line_with("error[DEF006]")
        id = defer(project, "trigger", "greet", "Ada").out.strip()
        runner.line_with(id)


def test_a_data_folder_that_a_deploy_replaces_is_warned_of(project: Path) -> None:
    (project / "v1").mkdir()
    (project / "current").symlink_to("v1")
    burst = defer(project, "run", "--burst", "--data", "current/data")

    assert burst.code == 0
    assert "warning: the data folder may be lost with the next deploy" in burst.err
