"""The pool is whole again after whatever has happened to its workers."""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress

import pytest

from tests.process.harness import FAST, Project, is_alive, until

pytestmark = pytest.mark.process

IN_A_WORKER = '"defer_cli.workers.attempts" in sys.modules'


def test_every_slot_is_there_again_after_many_deaths(project: Project) -> None:
    project.write(
        leaf=f"""
            @defer({FAST.replace("2", "100", 1)})
            async def leaf(number):
                await asyncio.sleep(number % 5 / 200)
        """,
        tree=f"""
            from .leaf import leaf
            @defer({FAST.replace("2", "100", 1)})
            async def tree():
                for call in [await_result(leaf)(number) for number in range(10)]:
                    await call
        """,
        hold="""
            @defer
            async def hold():
                note("held", os.getpid())
                await until_noted("go")
        """,
    )
    dice = random.Random(7)
    with project.run("--workers", "2", "--slots", "5") as runner, runner.client() as client:
        trees = client.calls("tree", [[]] * 40)
        for _ in range(15):
            until(runner.worker_pids, "a worker")
            with suppress(ProcessLookupError):
                os.kill(dice.choice(runner.worker_pids()), signal.SIGKILL)
            client.run("leaf", 1)
        ends = {client.wait(id) for id in trees}
        holds = client.calls("hold", [[]] * 30)
        project.until_noted("held", 10)
        client.ask("execution", id=holds[0])
        held = project.noted("held")
        project.note("go")
        ends |= {client.wait(id) for id in holds}

    assert ends == {"succeed"}
    assert (len(held), len(set(held))) == (10, 2)


def test_workers_that_die_while_they_load_are_replaced(project: Project) -> None:
    project.write(
        fragile=f"""
            if {IN_A_WORKER}:
                note("loads")
                if len(read("loads")) <= 3:
                    os._exit(9)
            @defer
            async def fragile():
                return "loaded"
        """
    )
    with project.run("--workers", "2") as runner, runner.client() as client:
        state = client.wait(client.call("fragile"))
        until(lambda: len(project.noted("loads")) == 5, "both workers have loaded")

        assert state == "succeed"
        assert all(is_alive(pid) for pid in runner.worker_pids())


def test_a_function_that_cannot_be_imported_in_a_worker_fails_its_calls_only(project: Project) -> None:
    project.write(
        broken=f"""
            if {IN_A_WORKER}:
                raise RuntimeError("not here")
            @defer(retry=False)
            async def broken(): ...
        """,
        good="""
            @defer
            async def good(): ...
        """,
    )
    with project.run("--workers", "1") as runner, runner.client() as client:
        broken, good = client.run("broken"), client.run("good")
        line = runner.until_line("could not be imported in a worker", "function=broken")

    assert "RuntimeError: not here" in line
    assert "could not be imported" in project.error(broken)["message"]
    assert project.outcomes(good) == ["succeed"]


def test_calls_with_large_arguments_and_results_travel_in_a_crowd(project: Project) -> None:
    project.write(
        echo="""
            @defer
            async def echo(text):
                return text
        """
    )
    with project.run("--workers", "1") as runner, runner.client() as client:
        ids = [id for _ in range(6) for id in client.calls("echo", [["x" * 900_000]] * 4)]
        ends = {client.wait(id) for id in ids}

    assert ends == {"succeed"}


def test_a_forked_child_prints_to_the_workers_log(project: Project) -> None:
    project.write(
        fork="""
            @defer
            async def fork():
                pid = os.fork()
                if pid == 0:
                    print("from the child", flush=True)
                    os._exit(0)
                os.waitpid(pid, 0)
                print("from the function")
        """
    )
    with project.run("--workers", "1") as runner, runner.client() as client:
        id = client.run("fork")
        runner.until_line("from the child")
        runner.stop()

    assert project.lines(id) == ["from the function"]


def test_what_a_worker_had_forked_goes_with_it(project: Project) -> None:
    project.write(
        leave="""
            import subprocess
            @defer
            async def leave():
                if current_execution().attempt == 1:
                    note("child", subprocess.Popen(["sleep", "600"]).pid)
                    os._exit(1)
        """
    )
    with project.run("--workers", "1") as runner, runner.client() as client:
        client.run("leave")
        (pid,) = map(int, project.noted("child"))

        until(lambda: not is_alive(pid), "the subprocess is gone")
