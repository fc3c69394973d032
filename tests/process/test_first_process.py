"""A runner as process 1 of a container: nothing stays behind, signals are heeded, exit codes are told."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.process.harness import FAST, Project, Runner, until
from tests.process.manager import listening

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]
NAMESPACE = ["unshare", *([] if os.getuid() == 0 else ["--map-root-user"]), "--pid", "--fork", "--mount-proc"]

LEAVE = """
@defer
async def leave_behind(count):
    import subprocess
    for _ in range(count):
        subprocess.run("setsid sh -c 'exit 3' &", shell=True, check=True)
"""
PROCESSES = """
@defer
async def processes():
    return sorted(map(int, filter(str.isdecimal, os.listdir("/proc"))))
"""
DIE = f"""
@defer({FAST})
async def die(code):
    os._exit(code)
"""
HOLD = """
@defer
async def hold():
    note("began")
    await until_noted("go")
"""


def first_process(project: Project, *words: str) -> Runner:
    """Start the command as process 1 of a namespace of its own."""
    process = project._start([*NAMESPACE, *project._command(*words)], environment=project.runner_environment)
    return Runner(process, project.data)


def runner_in(project: Project) -> Runner:
    runner = first_process(project, "run", "--port", "off", "--workers", "1")
    runner.until_line("runner ready")
    return runner


def send(runner: Runner, number: int) -> None:
    """Signal process 1, as `docker stop` does: from outside of its namespace."""
    (first,) = Path(f"/proc/{runner.pid}/task/{runner.pid}/children").read_text().split()
    os.kill(int(first), number)


def test_what_functions_leave_behind_is_waited_for(project: Project) -> None:
    project.write(leave_behind=LEAVE, processes=PROCESSES)
    runner = runner_in(project)
    with runner.client() as client:
        before = project.result(client.run("processes"))
        for _ in range(4):
            client.run("leave_behind", 25)

        until(lambda: project.result(client.run("processes")) == before, "all of 100 orphans have gone")
    assert before[:2] == [1, 2]
    print(f"100 orphans, processes before and after: {before}")
    send(runner, signal.SIGTERM)
    assert runner.wait() == 0


def test_how_a_worker_ended_is_still_told(project: Project) -> None:
    project.write(die=DIE, leave_behind=LEAVE)
    runner = runner_in(project)
    with runner.client() as client:
        client.call("leave_behind", 200)
        id = client.run("die", 41)

    assert project.error(id)["message"] == "its process exited with code 41"
    send(runner, signal.SIGTERM)
    assert runner.wait() == 0


def test_the_first_signal_asks_and_the_second_insists(project: Project, tmp_path: Path) -> None:
    project.write(hold=HOLD)
    with listening(str(tmp_path / "notify")) as manager:
        project.runner_environment = {"NOTIFY_SOCKET": manager.address}
        runner = runner_in(project)
        with runner.client() as client:
            id = client.call("hold")
            project.until_noted("began")
        send(runner, signal.SIGTERM)
        manager.until(STOPPING="1")
        send(runner, signal.SIGINT)

        assert runner.wait(seconds=15) == 0
    assert "MAINPID" not in manager.heard[0], "the number it has in here says nothing outside"
    assert project.outcomes(id) == ["interrupt"]


def test_its_exit_code_is_the_commands(project: Project) -> None:
    project.write(hold="@defer\ndef hold():\n    pass\n")

    assert first_process(project, "run", "--port", "off").wait() == 3
    assert first_process(project, "run", "--workers", "none").wait() == 2


def test_a_runner_that_is_killed_takes_all_with_it(project: Project) -> None:
    project.write(hold=HOLD)
    runner = runner_in(project)
    with runner.client() as client:
        id = client.call("hold")
        project.until_noted("began")
    (second,) = subprocess.run(
        ["pgrep", "-P", Path(f"/proc/{runner.pid}/task/{runner.pid}/children").read_text().split()[0]],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    os.kill(int(second), signal.SIGKILL)

    assert runner.wait() == 128 + signal.SIGKILL
    project.note("go")
    again = runner_in(project)
    until(lambda: project.get(id).state == "succeed", "the next container ran it again")
    send(again, signal.SIGTERM)
    assert again.wait() == 0
    assert project.outcomes(id) == ["loss", "succeed"]
