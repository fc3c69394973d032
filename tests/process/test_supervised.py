"""A runner under a service manager: what it says of itself, to whom, and when it stops saying so."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.harness import Project, until
from tests.process.manager import Manager, listening

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]


@pytest.fixture
def manager(tmp_path: Path, project: Project) -> Iterator[Manager]:
    with listening(str(tmp_path / "notify")) as manager:
        project.runner_environment = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "400000"}
        yield manager


WAIT = """
@defer
async def hold():
    note("began")
    await until_noted("go")
"""
SAY = """
@defer
async def say():
    return [name for name in os.environ if "NOTIFY" in name or "WATCHDOG" in name]
"""


def test_it_tells_when_calls_are_taken_and_which_process_it_is(project: Project, manager: Manager) -> None:
    project.write(hold=WAIT)
    with project.run("--workers", "1") as runner:
        ready = manager.until(READY="1")

        assert ready["MAINPID"] == str(runner.pid)
        assert manager.until(STATUS="functions: 1; 0 running, 0 queued")
        assert sum("READY" in one for one in manager.heard) == 1


def test_an_abstract_socket_is_as_good(project: Project) -> None:
    project.write(hold=WAIT)
    with listening(f"@defer-test-{os.getpid()}") as manager:
        project.runner_environment = {"NOTIFY_SOCKET": manager.address}
        with project.run("--workers", "1"):
            assert manager.until(READY="1")


def test_functions_cannot_speak_for_the_runner(project: Project, manager: Manager) -> None:
    project.write(say=SAY)
    with project.run("--workers", "1") as runner, runner.client() as client:
        assert project.result(client.run("say")) == []


def test_the_watchdog_hears_twice_an_interval(project: Project, manager: Manager) -> None:
    project.write(hold=WAIT)
    with project.run("--workers", "1"):
        manager.until(WATCHDOG="1")
        began = time.monotonic()
        for _ in range(5):
            manager.until(WATCHDOG="1")
        spent = time.monotonic() - began

    print(f"five beats of a watchdog of 400 ms took {spent:.2f} s")
    assert 0.9 < spent < 2


def test_a_runner_that_stands_still_is_not_heard(project: Project, manager: Manager) -> None:
    project.write(hold=WAIT)
    with project.run("--workers", "1") as runner:
        manager.until(WATCHDOG="1")
        runner.signal(signal.SIGSTOP)
        until(lambda: "T" in Path(f"/proc/{runner.pid}/stat").read_text().rpartition(")")[2][:3], "it stands still")
        manager.hears_for(0.05)

        assert manager.hears_for(1) == []
        runner.signal(signal.SIGCONT)
        assert manager.until(WATCHDOG="1")


def test_it_tells_that_it_stops_before_it_waits_for_what_runs(project: Project, manager: Manager) -> None:
    project.write(hold=WAIT)
    with project.run("--workers", "1") as runner, runner.client() as client:
        client.call("hold")
        project.until_noted("began")
        runner.signal()

        assert manager.until(STOPPING="1")["STATUS"] == "stopping"
        assert manager.until(WATCHDOG="1")
        assert runner.process.poll() is None
        project.note("go")
        assert runner.wait() == 0


def test_a_manager_that_has_gone_hinders_nobody(project: Project, tmp_path: Path) -> None:
    project.write(say=SAY)
    project.runner_environment = {"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "100000"}
    with project.run("--workers", "1") as runner, runner.client() as client:
        assert project.result(client.run("say")) == []
        assert runner.stop() == 0
