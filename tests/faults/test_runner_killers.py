"""A function that takes the whole runner down is isolated, charged and failed; all else completes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from defer_cli.domain.states import FINAL_STATES, State
from tests.faults.figures import is_whole, tell
from tests.process.harness import Project, Runner, until

pytestmark = [pytest.mark.process, pytest.mark.fault, pytest.mark.timeout(300)]

INNOCENTS = 20
MOST_DEATHS = 30


def died_first(runner: Runner, project: Project, id: str) -> bool:
    """Wait until the runner is dead or the execution has failed; return which of them came first."""
    until(lambda: runner.process.poll() is not None or project.get(id).state is State.FAILED, "a death, or the end")
    return project.get(id).state is not State.FAILED


def killed_until_failed(
    project: Project, id: str, *, before_each: Callable[[int], None] = lambda deaths: None
) -> tuple[int, Runner]:
    """Start runners after one that died until the execution has failed; return how many died, and the one that lives.

    ``before_each`` start it is told how many have died.
    """
    deaths = 1
    while True:
        assert deaths < MOST_DEATHS, project.attempts(id)
        before_each(deaths)
        runner = project.start("--workers", "2")
        if not died_first(runner, project, id):
            return deaths, runner
        deaths += 1


def test_a_function_that_kills_its_runner_again_and_again_fails_in_the_end(project: Project) -> None:
    project.write(
        killer="""
            import signal
            @defer(retry={'max_attempts': 1, 'initial_interval': 0, 'randomization_factor': 0})
            async def killer():
                note("killer", os.getpid())
                await until_noted("called")
                os.kill(os.getppid(), signal.SIGKILL)
                await asyncio.sleep(60)
        """,
        innocent="""
            @defer
            async def innocent(number):
                note("innocent", number)
                await asyncio.sleep(0.2)
                return number
        """,
    )
    with project.run("--workers", "2") as runner, runner.client() as client:
        innocents = client.calls("innocent", [[number] for number in range(INNOCENTS)])
        id = client.call("killer")
        project.note("called")  # it may have begun before its caller has the answer
        runner.process.wait(30)
    deaths, runner = killed_until_failed(project, id)
    runner.kill()
    with project.run("--workers", "2") as runner, runner.client() as client:
        ends = {client.wait(innocent) for innocent in innocents}
        assert runner.stop() == 0

    tell(
        5,
        fault="a function that kills its runner at every run, one retry",
        runs=1,
        found=f"failed after {deaths} deaths of the runner, {INNOCENTS} others completed",
    )
    assert ends == {"succeed"}
    assert [project.get(innocent).charged for innocent in innocents] == [0] * INNOCENTS
    assert project.get(id).charged == 1
    assert project.error(id)["message"] == "its runner died while it ran, 3 times in a row"
    assert deaths == len(project.noted("killer")) == 6


def killed_again_and_again(project: Project, *, is_stopped_between: bool) -> list[str]:
    """Call what kills its runner before two innocents, and start runners until it has failed; return their ids."""
    project.write(
        killer="""
            import signal
            @defer(retry={'max_attempts': 1, 'initial_interval': 0, 'randomization_factor': 0})
            async def killer():
                note("killer", os.getpid())
                while is_noted("held"):
                    await asyncio.sleep(0.005)
                await asyncio.sleep(0.5)
                os.kill(os.getppid(), signal.SIGKILL)
                await asyncio.sleep(60)
        """,
        innocent="""
            @defer(retry={'max_attempts': 3, 'initial_interval': 0, 'randomization_factor': 0})
            async def innocent(seconds):
                await asyncio.sleep(seconds)
        """,
    )
    with project.run("--workers", "2") as runner, runner.client() as client:
        id = client.call("killer")
        innocents = client.calls("innocent", [[1], [4]])
        runner.process.wait(30)

    def stop_once(deaths: int) -> None:
        if deaths == 2 and is_stopped_between:
            stop_while_it_runs(project, runs=3)

    _, runner = killed_until_failed(project, id, before_each=stop_once)
    runner.kill()
    with project.run("--workers", "2") as runner, runner.client() as client:
        for innocent in innocents:
            client.wait(innocent)
    return [id, *innocents]


def stop_while_it_runs(project: Project, *, runs: int) -> None:
    project.note("held")
    with project.run("--workers", "2", "--grace", "0") as runner:
        project.until_noted("killer", runs)
        assert runner.stop() == 0
    (project.notes / "held").unlink()


@pytest.mark.parametrize("is_stopped_between", [False, True] if is_whole() else [False])
def test_what_waits_while_a_function_kills_its_runner_is_never_charged(
    project: Project, is_stopped_between: bool
) -> None:
    ids = killed_again_and_again(project, is_stopped_between=is_stopped_between)
    charged = [project.get(id).charged for id in ids]

    tell(
        5,
        fault="two others wait behind a function that kills its runner"
        + (", which is stopped in good order in between" if is_stopped_between else ""),
        runs=1,
        found=f"innocents charged: {sum(charged[1:])}",
    )
    assert [project.get(id).state for id in ids] == [State.FAILED, State.SUCCEED, State.SUCCEED]
    assert charged == [1, 0, 0]


def kills(*, after: str) -> str:
    return f"""
import signal
from .child import child
@defer(retry={{'max_attempts': 1, 'initial_interval': 0, 'randomization_factor': 0}})
async def killer():
    try:
        {after}
    except TimeoutError:
        pass
    await asyncio.sleep(0.3)
    os.kill(os.getppid(), signal.SIGKILL)
    await asyncio.sleep(60)
"""


def waits(*, until_over: str) -> str:
    return f"""
from .child import child
from .killer import killer
from defer_cli import ExecutionFailed
@defer(retry={{'max_attempts': 3, 'initial_interval': 0, 'randomization_factor': 0}})
async def innocent():
    try:
        {until_over}
    except ExecutionFailed:
        pass
"""


WAIT = "await await_result(child)(1)"
WAIT_IN_VAIN = "await asyncio.wait_for(await_result(child)(3), 1)"


SHAPES = {
    "is waited for": ("is waited for", "pass", "await await_result(killer)()"),
    "both wait": ("waited for another, as its neighbour does,", WAIT, "await await_result(child)(3)"),
    "waits": ("waited for another", WAIT, "await asyncio.sleep(3)"),
    "waits in vain": ("waited for another, which it gave up,", WAIT_IN_VAIN, "await asyncio.sleep(3)"),
}
OFTEN = ["is waited for"]


@pytest.mark.parametrize("shape", SHAPES if is_whole() else OFTEN)
def test_who_is_there_when_a_function_kills_its_runner_after_a_wait_is_never_charged(
    project: Project, shape: str
) -> None:
    fault, killer, innocent = SHAPES[shape]
    project.write(
        child="@defer\nasync def child(seconds):\n    await asyncio.sleep(seconds)\n",
        killer=kills(after=killer),
        innocent=waits(until_over=innocent),
    )
    with project.run("--workers", "2") as runner, runner.client() as client:
        called = "" if "killer" in innocent else client.call("killer")
        other = client.call("innocent")
        runner.process.wait(30)
    id = called or project.children(other)[0].id

    def nobody_else_is_charged(deaths: int) -> None:
        assert project.get(other).charged == 0, project.attempts(other)

    deaths, runner = killed_until_failed(project, id, before_each=nobody_else_is_charged)
    until(lambda: project.get(other).state in FINAL_STATES, "the end of the other")
    runner.kill()

    end, charged = project.get(other).state, project.get(other).charged
    tell(
        5,
        fault=f"a function that {fault} kills its runner again and again, beside another",
        runs=1,
        found=f"failed after {deaths} deaths of the runner, innocents charged: {charged}",
    )
    assert (end, charged) == (State.SUCCEED, 0)
    assert project.get(id).charged == 1
