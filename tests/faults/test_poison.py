"""A function that kills its process is found and charged; those that ran beside it are not."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from defer_cli.domain.states import State
from tests.faults.figures import is_whole, rounds, tell
from tests.process.harness import Client, Project, Runner, until

pytestmark = [pytest.mark.process, pytest.mark.fault, pytest.mark.timed, pytest.mark.timeout(300)]

INNOCENTS = rounds(100, 100)
OFTEN = "retry={'max_attempts': 13, 'initial_interval': 0.02, 'randomization_factor': 0, 'multiplier': 1}"
SOON = OFTEN.replace("0.02", "0.2")
"""Thirteen retries that last as long as the throughput beside them is measured."""
POISONS = {
    "exits": "os._exit(3)",
    "segfaults": "ctypes.string_at(0)",
    "is_killed": "os.kill(os.getpid(), signal.SIGKILL)",
}
INNOCENT = """
    @defer
    async def innocent(number):
        note("begun", current_execution().id)
        await until_noted("go")
        return number
"""
NOTHING = """
    @defer
    async def nothing():
        pass
"""


def poison(name: str, deed: str, options: str) -> str:
    return f"""
        import signal
        @defer({options})
        async def {name}():
            note("{name}", os.getpid())
            {deed}
    """


@pytest.mark.parametrize("name", POISONS)
def test_a_poison_among_innocents_is_charged_alone(project: Project, name: str) -> None:
    project.write(innocent=INNOCENT, **{name: poison(name, POISONS[name], "retry=False")})
    with project.run("--workers", "1", "--slots", "200") as runner, runner.client() as client:
        before = set(runner.worker_pids())
        innocents = client.calls("innocent", [[number] for number in range(INNOCENTS)])
        project.until_noted("begun", INNOCENTS)
        id = client.call(name)
        project.until_noted(name)
        project.note("go")
        ends = {client.wait(innocent) for innocent in innocents}
        client.wait(id)
        lost = [int(pid) for pid in project.noted(name)]

    charged = sum(project.get(innocent).charged for innocent in innocents)
    tell(
        5,
        fault=f"a job that {name.replace('_', ' ')}, among {INNOCENTS} others",
        runs=1,
        found=f"others charged: {charged}, processes lost: {len(lost)}",
    )
    assert ends == {"succeed"}
    assert charged == 0
    assert {tuple(project.outcomes(one)) for one in innocents} == {("interrupt", "succeed")}
    assert (project.get(id).state, project.get(id).error_code) == (State.FAILED, "ER0003")
    assert len(lost) <= 3
    assert len(before.intersection(lost)) == 1


def test_a_known_killer_costs_the_pool_no_worker_more(project: Project) -> None:
    project.write(killer=poison("killer", POISONS["exits"], OFTEN))
    with project.run("--workers", "2") as runner, runner.client() as client:
        pool = set(runner.worker_pids())
        id = client.run("killer")
        until(lambda: len(pool & set(runner.worker_pids())) == 1, "the other worker lives")

    outcomes = project.outcomes(id)
    tell(5, fault="a killer that is retried 13 times", runs=1, found="1 pool worker lost")
    assert outcomes == ["interrupt", *["retry"] * 13, "fail"]
    assert project.get(id).charged == 13
    assert len(project.noted("killer")) == 15


def test_suspects_that_wait_for_children_end(project: Project) -> None:
    project.write(
        parent="""
            from .child import child
            @defer(concurrency=20)
            async def parent(number):
                note("parents", os.getpid())
                return await await_result(child)(number)
        """,
        child="""
            @defer(concurrency=5)
            async def child(number):
                note("children", os.getpid())
                if current_execution().attempt == 1:
                    await until_noted("go")
                return number
        """,
    )
    count = rounds(20, 20)
    with project.run("--workers", "1", "--slots", "10") as runner, runner.client() as client:
        ids = client.calls("parent", [[number] for number in range(count)])
        project.until_noted("parents", count)
        project.until_noted("children", 5)
        (pid,) = runner.worker_pids()
        os.kill(pid, signal.SIGKILL)
        project.note("go")
        began = time.monotonic()
        ends = {client.wait(id) for id in ids}
        took = time.monotonic() - began

    tell(5, fault=f"{count} suspects that wait for suspects", runs=1, found=f"all ended, {took:.1f} s")
    assert ends == {"succeed"}
    assert [project.result(id) for id in ids] == list(range(count))
    assert sum(project.get(id).charged for id in ids) == 0


def test_what_others_do_goes_on_while_a_killer_is_retried(project: Project) -> None:
    project.write(nothing=NOTHING, killer=poison("killer", POISONS["exits"], SOON))
    count = rounds(5_000, 60_000)
    with project.run("--workers", "2") as runner, runner.client() as client:
        rates = list(measured(runner, client, project, count=count, pairs=rounds(1, 5)))

    ratio = sorted(beside / alone for alone, beside in rates)[len(rates) // 2]
    tell(5, fault="throughput beside a killer", runs=len(rates), found=f"{ratio:.2f} of what it is without")
    if is_whole():
        assert ratio >= 0.8


def measured(
    runner: Runner, client: Client, project: Project, *, count: int, pairs: int
) -> Iterator[tuple[float, float]]:
    """Yield executions a second, without a killer and beside one."""
    for _ in range(pairs):
        alone = rate(client, project, count)
        killer = client.call("killer")
        beside = rate(client, project, count)
        client.wait(killer)
        assert project.get(killer).state is State.FAILED
        yield alone, beside


def rate(client: Client, project: Project, count: int) -> float:
    before = project.in_state(State.SUCCEED)
    began = time.monotonic()
    for _ in range(count // 1_000):
        client.calls("nothing", [[]] * 1_000)
    until(lambda: project.in_state(State.SUCCEED) >= before + count, "all of them ended", seconds=120)
    return count / (time.monotonic() - began)
