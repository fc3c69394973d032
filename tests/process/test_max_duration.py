"""What runs too long is cancelled, then its process is killed; its neighbours lose no retry."""

from __future__ import annotations

import pytest

from tests.process.harness import Project

pytestmark = pytest.mark.process


def test_a_function_over_its_time_is_cancelled_and_fails(project: Project) -> None:
    project.write(
        sleepy="""
            @defer(max_duration=0.2, retry=False)
            async def sleepy():
                await asyncio.sleep(60)
        """,
        unmoved="""
            @defer(max_duration=0.2, retry=False)
            async def unmoved():
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    return "it does not matter"
        """,
    )
    with project.run("--workers", "1") as runner, runner.client() as client:
        pids = runner.worker_pids()
        ids = [client.call("sleepy"), client.call("unmoved")]
        ends = [client.wait(id) for id in ids]
        after = runner.worker_pids()

    assert ends == ["failed", "failed"]
    assert [project.get(id).error_code for id in ids] == ["ER0001", "ER0001"]
    assert project.error(ids[0])["message"] == "ran longer than its max_duration of 200 ms"
    assert project.error(ids[0])["location"].startswith("src/defer/sleepy.py:")
    assert after == pids


@pytest.mark.slow
def test_a_function_that_swallows_its_cancel_is_killed_and_its_neighbour_interrupted(project: Project) -> None:
    project.write(
        stubborn="""
            @defer(max_duration=0.2, retry=False)
            async def stubborn():
                while True:
                    try:
                        await asyncio.sleep(60)
                    except asyncio.CancelledError:
                        note("swallowed")
        """,
        neighbour="""
            @defer(retry=False)
            async def neighbour():
                note("neighbour", current_execution().attempt)
                if current_execution().attempt == 1:
                    await asyncio.sleep(60)
                return "done"
        """,
    )
    with project.run("--workers", "1") as runner, runner.client() as client:
        neighbour = client.call("neighbour")
        project.until_noted("neighbour")
        stubborn = client.call("stubborn")
        ends = [client.wait(stubborn), client.wait(neighbour)]

    assert ends == ["failed", "succeed"]
    assert (project.get(stubborn).error_code, project.noted("swallowed")) == ("ER0001", [""])
    assert project.outcomes(neighbour) == ["interrupt", "succeed"]
    assert project.get(neighbour).charged == 0
