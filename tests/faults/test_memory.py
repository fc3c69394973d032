"""What takes too much memory is found and fails with ER0002; those that ran beside it are not charged."""

from __future__ import annotations

import pytest

from defer_cli.domain.states import State
from tests.faults.figures import tell
from tests.process.harness import Project, until

pytestmark = [pytest.mark.process, pytest.mark.fault, pytest.mark.timeout(120)]

HELD = 20
HOG = """
    @defer({options})
    async def hog(megabytes):
        note("hog", os.getpid())
        held = []
        for _ in range(megabytes // 10):
            held.append(bytearray(10_000_000))
            await asyncio.sleep(0.02)
        await asyncio.sleep({seconds})
        return len(held)
"""
INNOCENT = """
    @defer
    async def innocent(number):
        note("begun", current_execution().id)
        await until_noted("go")
        return number
"""


@pytest.mark.parametrize("how", ["max_memory", "worker_memory"])
def test_a_hog_among_innocents_is_charged_alone(project: Project, how: str) -> None:
    options = "retry=False, max_memory='150 MB'" if how == "max_memory" else "retry=False"
    project.write(hog=HOG.format(options=options, seconds=60), innocent=INNOCENT)
    if how == "worker_memory":
        (project.root / "pyproject.toml").write_text("[tool.defer]\nworker_memory = '150 MB'\n")
    with project.run("--workers", "1") as runner, runner.client() as client:
        innocents = client.calls("innocent", [[number] for number in range(HELD)])
        project.until_noted("begun", HELD)
        id = client.call("hog", 2_000)
        runner.until_line("it took", "over")
        project.note("go")
        ends = [client.wait(one) for one in (*innocents, id)]

    error = project.error(id)
    charged = sum(project.get(one).charged for one in innocents)
    tell(5, fault=f"a function that takes 2 GB, over {how}", runs=1, found=f"ER0002, {charged} of {HELD} charged")
    assert ends == ["succeed"] * HELD + ["failed"]
    assert (project.get(id).error_code, error["type"]) == ("ER0002", "MemoryLimitExceeded")
    assert "its limit is 150 MB" in error["message"]
    assert project.outcomes(id)[0] == "interrupt"
    assert charged == 0


def test_a_function_within_its_limit_runs_where_all_do(project: Project) -> None:
    project.write(hog=HOG.format(options="max_memory='1 GB'", seconds=0.5))
    with project.run("--workers", "1") as runner, runner.client() as client:
        (pid,) = runner.worker_pids()
        id = client.run("hog", 100)

    assert project.outcomes(id) == ["succeed"]
    assert project.noted("hog") == [str(pid)]


def test_a_worker_that_has_grown_is_replaced_and_ends_what_it_runs(project: Project) -> None:
    (project.root / "pyproject.toml").write_text("[tool.defer]\nworker_memory = '150 MB'\n")
    project.write(
        grow="""
            held = []
            @defer
            async def grow():
                held.append(bytearray(150_000_000))
                note("grow", os.getpid())
                await until_noted("go")
                return "done"
        """
    )
    with project.run("--workers", "1") as runner, runner.client() as client:
        (pid,) = runner.worker_pids()
        id = client.call("grow")
        runner.until_line("a worker that had grown is replaced")
        until(lambda: set(runner.worker_pids()) - {pid}, "another worker")
        project.note("go")
        state = client.wait(id)
        until(lambda: pid not in runner.worker_pids(), "the first one leaves")

    assert (state, project.outcomes(id)) == ("succeed", ["succeed"])
    assert project.get(id).state is State.SUCCEED
    assert project.get(id).charged == 0
