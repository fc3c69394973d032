"""A function that holds up its worker's loop is named with its line; past its time it alone is charged."""

from __future__ import annotations

import time

import pytest

from defer_cli.domain.states import State
from tests.faults.figures import rounds, tell
from tests.process.harness import Project

pytestmark = [pytest.mark.process, pytest.mark.fault, pytest.mark.timed, pytest.mark.timeout(300)]

BLOCKERS = {
    "sleeps": "time.sleep(seconds)",
    "computes": "while time.monotonic() < until: pass",
    "holds_the_interpreter": "re.match('(a+)+$', 'a' * 60 + 'b')",
}
AWAITERS = {
    "awaits": "await asyncio.sleep(seconds)",
    "swallows": """while time.monotonic() < until:
                try:
                    await asyncio.sleep(seconds)
                except asyncio.CancelledError:
                    pass""",
}
LIMIT_SECONDS = 1.5
NEIGHBOUR = """
    @defer(max_duration=1, retry=False)
    async def neighbour(number):
        note("neighbour", number)
        await asyncio.sleep(0.5)
        return number
"""


def guilty(name: str, options: str = "retry=False") -> str:
    return f"""
        import re
        @defer({options})
        async def {name}(seconds):
            until = time.monotonic() + seconds
            note("{name}", time.monotonic())
            {(BLOCKERS | AWAITERS)[name]}  # it blocks here
    """


def said(name: str) -> str:
    return name.replace("_", " ")


def place_of(project: Project, name: str) -> str:
    lines = (project.folder / f"{name}.py").read_text().splitlines()
    return f"src/defer/{name}.py:{1 + next(n for n, line in enumerate(lines) if 'it blocks here' in line)}"


@pytest.mark.parametrize("name", BLOCKERS)
def test_who_blocks_the_loop_is_named_with_the_line(project: Project, name: str) -> None:
    project.write(**{name: guilty(name)})
    with project.run("--workers", "1") as runner, runner.client() as client:
        (pid,) = runner.worker_pids()
        id = client.call(name, 60)
        line = runner.until_line("event loop blocked", id)
        (began,) = project.noted(name)
        seconds = time.monotonic() - float(began)

    tell(10, fault=f"a function that {said(name)}", runs=1, found=f"named after {seconds * 1000:.0f} ms")
    assert f"function={name} " in line
    assert f"at={place_of(project, name)} " in line
    assert f"pid={pid} " in line


@pytest.mark.parametrize("name", ["awaits", "swallows", "sleeps", "holds_the_interpreter"])
def test_past_its_time_the_guilty_alone_is_charged(project: Project, name: str) -> None:
    project.write(**{name: guilty(name, f"max_duration={LIMIT_SECONDS}, retry=False")}, neighbour=NEIGHBOUR)
    count = rounds(5, 50)
    with project.run("--workers", "1") as runner, runner.client() as client:
        neighbours = client.calls("neighbour", [[number] for number in range(count)])
        project.until_noted("neighbour", count)
        id = client.call(name, 60)
        client.wait(id)
        ends = {client.wait(neighbour) for neighbour in neighbours}

    (attempt,) = project.attempts(id)
    assert attempt.finished_at is not None
    over = (attempt.finished_at - attempt.started_at).total_seconds() - LIMIT_SECONDS
    charged = sum(project.get(neighbour).charged for neighbour in neighbours)
    again = sum(len(project.outcomes(neighbour)) - 1 for neighbour in neighbours)
    tell(
        10,
        fault=f"a function over its max_duration that {said(name)}, beside {count} with a shorter one",
        runs=1,
        found=f"ER0001 {over:.1f} s over it, {again} neighbours run again, {charged} charged",
    )
    assert (project.get(id).state, project.get(id).error_code) == (State.FAILED, "ER0001")
    assert ends == {"succeed"}
    assert charged == 0
    assert {tuple(project.outcomes(one)) for one in neighbours} <= {("succeed",), ("interrupt", "succeed")}


def test_the_clocks_of_neighbours_stand_still_while_the_loop_is_blocked(project: Project) -> None:
    project.write(sleeps=guilty("sleeps"), neighbour=NEIGHBOUR)
    with project.run("--workers", "1") as runner, runner.client() as client:
        neighbour = client.call("neighbour", 1)
        project.until_noted("neighbour")
        ids = [client.call("sleeps", 3), neighbour]
        ends = [client.wait(id) for id in ids]
        line = runner.until_line("event loop goes on", ids[0])

    tell(10, fault="a loop blocked for 3 s beside a max_duration of 1 s", runs=1, found="0 charged, 0 run again")
    assert ends == ["succeed", "succeed"]
    assert project.outcomes(neighbour) == ["succeed"]
    assert "level=info" in line


def test_a_blocked_worker_gets_no_work_and_another_stands_in_for_it(project: Project) -> None:
    project.write(
        blocks="""
            @defer
            async def blocks():
                while not is_noted("go"):
                    time.sleep(0.01)
        """,
        where="""
            @defer
            async def where():
                return os.getpid()
        """,
        hold="""
            @defer
            async def hold():
                note("held", os.getpid())
                await until_noted("enough")
        """,
    )
    with project.run("--workers", "1", "--slots", "2") as runner, runner.client() as client:
        (blocked,) = runner.worker_pids()
        id = client.call("blocks")
        runner.until_line("event loop blocked", id)
        began = time.monotonic()
        pids = {project.result(client.run("where")) for _ in range(3)}
        seconds = time.monotonic() - began
        project.note("go")
        end = client.wait(id)
        runner.until_line("event loop goes on", id)
        holds = client.calls("hold", [[]] * 4)
        held = set(map(int, project.until_noted("held", 4)))
        project.note("enough")
        ends = {client.wait(hold) for hold in holds}

    tell(10, fault="the only worker is blocked", runs=1, found=f"another took work {seconds * 1000:.0f} ms later")
    assert blocked not in pids
    assert held == {blocked, *pids}
    assert {end, *ends} == {"succeed"}
