"""How soon a death is noticed and its work goes on, and what a stop under load leaves behind."""

from __future__ import annotations

import os
import signal
import time
from random import Random
from statistics import quantiles

import pytest

from defer_cli.domain.states import State
from tests.faults.figures import rounds, tell
from tests.process.harness import Project, until

pytestmark = [pytest.mark.process, pytest.mark.fault, pytest.mark.timed, pytest.mark.timeout(300)]

LONG = """
    @defer
    async def long(name):
        note(name, f"{os.getpid()} {time.monotonic()}")
        await until_noted(f"go on, {name}")
"""
MIXED = """
    @defer
    async def mixed(number):
        try:
            await asyncio.sleep(number % 5 / 10)
        except asyncio.CancelledError:
            if number % 2:
                raise
            await asyncio.sleep(0.05)
"""
GRACE_SECONDS = 0.3
SEED = 3


def p99(seconds: list[float]) -> float:
    return quantiles(seconds, n=100, method="inclusive")[-1]


def test_a_dead_worker_is_noticed_and_its_work_goes_on(project: Project) -> None:
    project.write(long=LONG)
    noticed, resumed = [], []
    with project.run("--workers", "2") as runner, runner.client() as client:
        for number in range(rounds(4, 60)):
            name = f"n{number}"
            id = client.call("long", name)
            pid = project.until_noted(name)[0].split()[0]
            killed = time.monotonic()
            os.kill(int(pid), signal.SIGKILL)
            runner.until_line("worker died", f"pid={pid} ")
            noticed.append(time.monotonic() - killed)
            resumed.append(float(project.until_noted(name, 2)[1].split()[1]) - killed)
            project.note(f"go on, {name}")
            assert client.wait(id) == "succeed"
            assert project.get(id).charged == 0

    tell(
        8,
        fault="kill -9 of a worker",
        runs=len(noticed),
        found=f"noticed after {p99(noticed) * 1000:.0f} ms, run again after {p99(resumed) * 1000:.0f} ms (p99)",
    )


def until_more_ended(project: Project, than: int) -> None:
    until(lambda: project.in_state(State.SUCCEED) > than, "the first end")


def test_a_stop_at_any_moment_leaves_nothing_started(project: Project) -> None:
    project.write(mixed=MIXED)
    random, took, left = Random(SEED), [], 0
    for _ in range(rounds(3, 40)):
        with project.run("--workers", "2", "--grace", f"{GRACE_SECONDS}s") as runner, runner.client() as client:
            ended = project.in_state(State.SUCCEED)
            client.calls("mixed", [[number] for number in range(100)])
            until_more_ended(project, ended)
            time.sleep(random.random() / 4)  # a moment like any other
            stopped = time.monotonic()
            assert runner.stop() == 0
            took.append(time.monotonic() - stopped)
        left += project.in_state(State.STARTED, State.ABORTING)
    project.burst()
    counts = project.counts()

    tell(
        9,
        fault=f"SIGTERM under load, with a grace of {GRACE_SECONDS} s",
        runs=len(took),
        found=f"ended after {p99(took):.2f} s (p99), left started: {left}, accepted and lost: 0",
    )
    assert left == 0
    assert counts == {("mixed", State.SUCCEED): 100 * len(took)}
