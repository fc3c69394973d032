"""Workers that die are replaced, and what ran in them runs again; only who kills its process alone is charged."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.process.harness import FAST, Client, Project, Runner, is_alive, until

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def project(make_project: Callable[[], Project]) -> Project:
    project = make_project()
    project.write(
        exit_once="""
            @defer
            async def exit_once(name):
                note(name, os.getpid())
                if current_execution().attempt == 1:
                    os._exit(3)
                return "alive"
        """,
        exit_always=f"""
            @defer({FAST})
            async def exit_always():
                os._exit(3)
        """,
        segfault=f"""
            @defer({FAST})
            async def segfault():
                ctypes.string_at(0)
        """,
        innocent=f"""
            @defer({FAST})
            async def innocent(name):
                note(name, os.getpid())
                await until_noted("go-" + name)
                return name
        """,
        exit_in_a_task="""
            @defer(retry=False)
            async def exit_in_a_task():
                async def leave():
                    sys.exit(4)
                await asyncio.create_task(leave())
        """,
        interrupt_in_a_callback="""
            @defer(retry=False)
            async def interrupt_in_a_callback():
                def leave():
                    raise KeyboardInterrupt
                asyncio.get_running_loop().call_soon(leave)
                await asyncio.sleep(0.01)
                return os.getpid()
        """,
    )
    return project


@pytest.fixture(scope="module")
def runner(project: Project) -> Iterator[Runner]:
    with project.run("--workers", "2") as runner:
        yield runner


@pytest.fixture
def client(runner: Runner) -> Iterator[Client]:
    with runner.client() as client:
        yield client


def test_an_execution_whose_process_died_runs_again_uncharged(project: Project, client: Client) -> None:
    id = client.run("exit_once", "first")

    assert project.outcomes(id) == ["interrupt", "succeed"]
    assert project.get(id).charged == 0


def test_a_dead_worker_is_replaced(project: Project, runner: Runner, client: Client) -> None:
    client.run("exit_once", "second")
    dead, _ = map(int, project.noted("second"))
    until(lambda: len(runner.worker_pids()) == 2 and dead not in runner.worker_pids(), "two workers alive")

    assert all(is_alive(pid) for pid in runner.worker_pids())


def test_a_function_that_ends_its_process_each_time_is_charged_from_the_second_on(
    project: Project, client: Client
) -> None:
    id = client.run("exit_always")
    attempts = project.attempts(id)

    assert [attempt.outcome for attempt in attempts] == ["interrupt", "retry", "retry", "fail"]
    assert (project.get(id).charged, project.get(id).error_code) == (2, "ER0003")
    assert project.error(id)["message"] == "its process exited with code 3"


def test_a_segmentation_fault_is_named(project: Project, client: Client) -> None:
    id = client.run("segfault")

    assert project.get(id).error_code == "ER0003"
    assert project.error(id)["message"] == "its process died of a segmentation fault"


def test_a_worker_that_is_killed_costs_nobody_a_retry(project: Project, client: Client) -> None:
    ids = [client.call("innocent", f"killed{number}") for number in range(4)]
    pids = {int(project.until_noted(f"killed{number}")[0]) for number in range(4)}
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for number in range(4):  # two at a time are run isolated, in the order in which their workers were found dead
        project.note(f"go-killed{number}")
    for number in range(4):
        project.until_noted(f"killed{number}", 2)

    assert [client.wait(id) for id in ids] == ["succeed"] * 4
    assert [project.outcomes(id) for id in ids] == [["interrupt", "succeed"]] * 4
    assert [project.get(id).charged for id in ids] == [0] * 4


def test_an_exit_in_a_task_fails_its_function_and_ends_no_process(
    project: Project, runner: Runner, client: Client
) -> None:
    before = runner.worker_pids()
    id = client.run("exit_in_a_task")

    assert (project.error(id)["type"], project.error(id)["message"]) == ("SystemExit", "4")
    assert runner.worker_pids() == before


def test_an_interrupt_raised_in_a_callback_ends_no_process(project: Project, runner: Runner, client: Client) -> None:
    before = runner.worker_pids()
    id = client.run("interrupt_in_a_callback")

    assert project.result(id) in before
    assert runner.worker_pids() == before
