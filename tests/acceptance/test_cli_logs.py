"""`defer logs ID`: what an execution printed, in a pipe, for a program, and live."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.command import DEADLINE_SECONDS, DEFER, Living, defer, environment, living
from tests.acceptance.staging import FAR_US, begin, end, error, printed, put
from tests.acceptance.storing import stored
from tests.acceptance.test_cli_terminal import on_a_terminal
from tests.process.harness import Project

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]
READY = 'message="runner ready"'
STEPS = """
    @defer(retry={"max_attempts": 1, "initial_interval": 0.05, "randomization_factor": 0})
    async def steps():
        attempt = current_execution().attempt
        for step in range(3):
            print(f"attempt {attempt} step {step}")
            note("printed")
            await until_noted(f"go-{attempt}-{step}")
        if attempt == 1:
            raise ValueError("again")
"""


@pytest.fixture
def steps(tmp_path: Path) -> Project:
    """Return a project whose function prints, then waits to be told to go on."""
    project = Project(tmp_path)
    project.write(steps=STEPS)
    return project


@contextmanager
def following(project: Project, id: str) -> Iterator[Living]:
    process = subprocess.Popen(
        [*DEFER, "logs", "-f", id],
        cwd=project.root,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    follower = Living(process)
    try:
        yield follower
    finally:
        process.kill()
        process.wait()
        follower._reader.join(DEADLINE_SECONDS)
        assert process.stdout is not None
        process.stdout.close()


def texts(out: str) -> list[str]:
    return [line[18:] for line in out.splitlines() if line[2:3] == ":"]


def two_attempts(project: Path) -> str:
    """Return the id of an execution with a log of two attempts."""
    with stored(project) as store:
        id = put(store, "greet")
        first = begin(store, "greet")
        printed(store, first, ("stdout", "one"), ("stderr", "two\tb"), ("logging", "WARNING root: three"))
        end(store, first, "retry", error=error(), scheduled_us=first.started_us, charged=1)
        second = begin(store, "greet")
        printed(store, second, ("stdout", "four"), dropped=1_234)
        end(store, second, "succeed")
    return id


def test_all_attempts_are_shown_in_order_with_time_and_stream(project: Path) -> None:
    answer = defer(project, "logs", two_attempts(project))
    lines = answer.out.splitlines()

    assert (answer.code, answer.err) == (0, "")
    assert [line[13:] for line in lines if line[2:3] == ":"] == [
        "out  one",
        "err  two     b",
        "log  WARNING root: three",
        "out  four",
        "···  1,234 lines dropped",
    ]
    assert [line.split(",")[0] for line in lines if line.startswith("attempt")] == ["attempt 1", "attempt 2"]


def test_one_attempt_and_the_last_lines_can_be_asked_for(project: Path) -> None:
    id = two_attempts(project)

    assert texts(defer(project, "logs", f"{id}.1").out) == ["one", "two     b", "WARNING root: three"]
    assert texts(defer(project, "logs", id, "-n", "2").out) == ["four", "1,234 lines dropped"]


def test_a_program_gets_one_document(project: Path) -> None:
    id = two_attempts(project)
    shown = json.loads(defer(project, "logs", id, "--json").out)

    assert (shown["id"], shown["function"], shown["state"]) == (id, "greet", "succeed")
    assert [(line["attempt"], line["stream"], line["text"]) for line in shown["lines"]][:2] == [
        (1, "stdout", "one"),
        (1, "stderr", "two\tb"),
    ]
    assert shown["lines"][0]["at"].endswith("Z")


def test_what_printed_nothing_says_why(project: Path) -> None:
    with stored(project) as store:
        waiting = put(store, "greet", scheduled_us=FAR_US)
        silent = put(store, "weekly")
        end(store, begin(store, "weekly"), "succeed")

    assert "waits to run" in defer(project, "logs", waiting).err
    assert "its state is succeed" in defer(project, "logs", silent).err
    assert defer(project, "logs", silent).out == ""


@pytest.mark.parametrize("has_runner", [True, False])
def test_a_full_log_of_long_lines_comes_whole(has_runner: bool, project: Path) -> None:
    with stored(project) as store:
        id = put(store, "greet")
        running = begin(store, "greet")
        for part in range(100):
            printed(store, running, *[("stdout", f"{part} {n}") for n in range(100)], part=part)
        printed(store, running, *[("stdout", "x" * 16_384)] * 128, part=100)
        end(store, running, "succeed")
    if has_runner:
        with living(project, "run", "--port", "off", ready=READY):
            lines = texts(defer(project, "logs", id).out)
    else:
        lines = texts(defer(project, "logs", id).out)

    assert lines[:10_000] == [f"{part} {n}" for part in range(100) for n in range(100)]
    assert lines[10_000:] == ["x" * 16_384] * 128


def test_lines_are_followed_live_over_a_retry_to_the_end(steps: Project) -> None:
    with steps.run() as runner, runner.client() as client:
        id = client.call("steps")
        with following(steps, id) as follower:
            for attempt in (1, 2):
                for step in range(3):
                    follower.line_with(f"attempt {attempt} step {step}")
                    steps.note(f"go-{attempt}-{step}")
            follower.line_with("steps succeed")
            assert follower.process.wait(DEADLINE_SECONDS) == 0


def test_a_follower_outlives_runners_and_holds_nothing_up_between_them(steps: Project) -> None:
    with steps.run() as runner, runner.client() as client:
        id = client.call("steps")
        with following(steps, id) as follower:
            follower.line_with("attempt 1 step 0")
            runner.signal(signal.SIGKILL)
            runner.wait()
            follower.line_with("no runner is alive")
            assert defer(steps.root, "executions").code == 0
            with steps.run():
                for attempt, step in ((2, 0), (2, 1), (2, 2)):
                    follower.line_with(f"attempt {attempt} step {step}")
                    steps.note(f"go-{attempt}-{step}")
                follower.line_with("steps succeed")
                assert follower.process.wait(DEADLINE_SECONDS) == 0


def test_a_follower_of_what_has_ended_ends(project: Path) -> None:
    answer = defer(project, "logs", "-f", two_attempts(project))

    assert (answer.code, answer.err) == (0, "greet succeed\n")
    assert "four" in texts(answer.out)


def test_a_failure_is_told_and_is_no_failure_of_reading(project: Path) -> None:
    with stored(project) as store:
        id = put(store, "broken")
        end(store, begin(store, "broken"), "fail", error=error())
    answer = defer(project, "logs", "-f", id)

    assert (answer.code, answer.err) == (0, "broken failed\n")


def test_ctrl_c_ends_it_quietly(steps: Project) -> None:
    with steps.run() as runner, runner.client() as client:
        id = client.call("steps")
        process = subprocess.Popen(
            [*DEFER, "logs", "-f", id],
            cwd=steps.root,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline().startswith("attempt 1")
        assert texts(process.stdout.readline()) == ["attempt 1 step 0"]
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_SECONDS)

    assert (process.returncode, out, err) == (130, "", "")


def test_a_reader_that_hangs_up_is_no_fault(project: Path) -> None:
    id = two_attempts(project)
    piped = subprocess.run(
        f"{' '.join(DEFER)} logs {id} | head -1",
        shell=True,
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert (piped.stdout.split(",")[0], piped.stderr) == ("attempt 1", "")


def test_json_and_following_do_not_go_together(project: Path) -> None:
    answer = defer(project, "logs", two_attempts(project), "-f", "--json")

    assert (answer.code, answer.out) == (2, "")


def test_stderr_is_told_apart_by_a_word_and_a_colour(project: Path) -> None:
    id = two_attempts(project)
    shown = on_a_terminal(project, "logs", id, env={"TERM": "xterm"}, columns=80)

    assert "\x1b[33merr  two" in shown
    assert "\x1b" not in on_a_terminal(project, "logs", id, env={"TERM": "xterm", "NO_COLOR": "1"}, columns=80)
