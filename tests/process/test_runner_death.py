"""A runner that is killed loses nothing: the next one takes back what it left, and nobody else touches it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from defer_cli.domain.states import State
from defer_cli.engine.rescue import WorkerList
from tests.process.harness import Project, is_alive, until

pytestmark = pytest.mark.process

ROUNDS = int(os.environ.get("KILL_ROUNDS", "20"))
"""How many runners are killed in the first line of a function; each takes about a second."""
LONG = """
    @defer
    async def long(name):
        note(name, current_execution().attempt)
        await until_noted("go")
        return "done"
"""
KILLER = """
    @defer
    async def killer():
        note("started", current_execution().id)
        os.kill(os.getppid(), signal.SIGKILL)
        await asyncio.sleep(60)
"""


def test_the_next_runner_runs_again_what_a_killed_one_left(project: Project) -> None:
    project.write(long=LONG)
    with project.run("--workers", "2") as runner, runner.client() as client:
        ids = [client.call("long", f"n{number}") for number in range(4)]
        for number in range(4):
            project.until_noted(f"n{number}")
        pids = runner.worker_pids()
        runner.kill()
    until(lambda: not any(is_alive(pid) for pid in pids), "the workers die with their runner")
    with project.run("--workers", "2") as runner, runner.client() as client:
        for number in range(4):
            project.until_noted(f"n{number}", 2)
        losses = [client.ask("execution", id=id)["losses"] for id in ids]
        project.note("go")
        ends = [client.wait(id) for id in ids]

    assert ends == ["succeed"] * 4
    assert losses == [1] * 4
    assert [project.outcomes(id) for id in ids] == [["loss", "succeed"]] * 4
    assert [(project.get(id).charged, project.get(id).losses) for id in ids] == [(0, 0)] * 4
    assert "taken" in runner.output or "run again" in runner.output


def test_losses_are_counted_death_after_death(project: Project) -> None:
    project.write(long=LONG)
    with project.run("--workers", "1") as runner, runner.client() as client:
        id = client.call("long", "x")
        project.until_noted("x")
        runner.kill()
    with project.run("--workers", "1") as runner:
        project.until_noted("x", 2)
        runner.kill()
    with project.run("--workers", "1") as runner, runner.client() as client:
        project.until_noted("x", 3)
        losses = client.ask("execution", id=id)["losses"]

    assert losses == 2


def test_what_was_queued_is_still_queued(project: Project) -> None:
    project.write(long=LONG.replace("@defer", "@defer(concurrency=1)"))
    with project.run("--workers", "1") as runner, runner.client() as client:
        client.calls("long", [["x"]] * 50)
        project.until_noted("x")
        runner.kill()
    project.note("go")
    code = project.burst("--workers", "1").process.returncode

    assert code == 0
    assert project.counts() == {("long", State.SUCCEED): 50}


def test_a_second_runner_is_refused_with_the_pid_of_the_first(project: Project) -> None:
    project.write(long=LONG)
    with project.run("--workers", "1") as first:
        second = project.start("--workers", "1")
        code = second.wait()

    assert code == 5
    assert f"pid {first.pid}" in second.output


def test_a_worker_that_outlived_its_runner_is_killed_before_its_work_is_taken_back(project: Project) -> None:
    project.write(long=LONG)
    project.data.mkdir(mode=0o700)
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    with subprocess.Popen(command, start_new_session=True) as survivor:
        WorkerList(project.data / "workers").write([survivor.pid])
        with project.run("--workers", "1"):
            code = survivor.wait()

    assert code == -signal.SIGKILL


def test_a_stopped_worker_dies_with_its_runner(project: Project) -> None:
    project.write(long=LONG)
    with project.run("--workers", "1") as runner:
        (pid,) = runner.worker_pids()
        os.kill(pid, signal.SIGSTOP)
        runner.kill()
        until(lambda: not is_alive(pid), "the worker is gone")


def test_an_execution_is_on_disk_before_its_first_line_runs(project: Project, tmp_path: Path) -> None:
    project.write(killer=KILLER)
    lost = []
    for number in range(ROUNDS):
        data = tmp_path / f"data{number}"
        with project.run("--workers", "1", data=data) as runner, runner.client() as client:
            with suppress(ConnectionError):  # it may be dead before it has answered
                client.call("killer")
            runner.wait()
        with project.reader(data) as reader:
            found = reader.get(project.until_noted("started", number + 1)[number])
        if found is None or (found.state, found.attempt) != (State.STARTED, 1):
            lost.append((number, found))

    print(f"accepted and lost: {len(lost)} of {ROUNDS}")
    assert lost == []
