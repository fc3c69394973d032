"""The unit that `defer export systemd` writes, run by its very words: kill, restart and update keep the promises."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from defer_cli.domain.states import State
from tests.process.books import MINE
from tests.process.harness import Project, _environment, until
from tests.process.supervisor import supervised

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]
WORK = f"""
@defer(concurrency=8)
async def work(number):
{MINE}
    note("began", mine())
    await asyncio.sleep(0.01)
    note("version", "old")
    note("done", mine())
"""
CALLER = """
from defer.work import work
from notes import note, is_noted
import time
number = 0
while not is_noted("enough"):
    note("called", work(number).id)
    number += 1
    time.sleep(0.005)
"""


def unit_for(project: Project, *options: str) -> Path:
    exporting = project.command("export", "systemd", "--user", "daemon", "--grace", "5s", "--port", "off", *options)
    said, _ = exporting.communicate(timeout=30)
    assert exporting.returncode == 0, said
    (unit,) = project.root.glob("*.service")
    return unit


def test_kills_restarts_and_an_update_lose_nothing(project: Project) -> None:
    project.write(work=WORK)
    unit = unit_for(project, "--workers", "2")
    with supervised(unit, _environment()) as service:
        caller = project.start_app(CALLER)
        for turn in range(3):
            project.until_noted("done", 20 * (turn + 1))
            os.kill(service.pid, signal.SIGKILL)
            service.until_ready()
        assert service.stop() == 0
        project.write(work=WORK.replace('"old"', '"new"'))
        service.start()
        until(lambda: "new" in project.noted("version"), "the update runs")
        project.note("enough")
        caller.communicate(timeout=60)
        assert caller.returncode == 0
        ids = project.noted("called")
        until(lambda: not unfinished(project), "all have ended")
        assert service.stop() == 0

    outcomes = [project.outcomes(id) for id in ids]
    again = sum(len(one) > 1 for one in outcomes)
    print(f"{len(ids)} executions over 3 kills, a stop and an update: 0 lost, {again} ran again, each on record")
    assert {one[-1] for one in outcomes} == {"succeed"}
    assert {outcome for one in outcomes for outcome in one[:-1]} <= {"loss", "interrupt"}
    assert project.counts() == {("work", State.SUCCEED): len(ids)}
    assert set(project.noted("began")) <= {
        f"{id}.{n}" for id, one in zip(ids, outcomes, strict=True) for n in range(1, len(one) + 1)
    }
    assert service.codes == [-signal.SIGKILL] * 3 + [0, 0]


def unfinished(project: Project) -> int:
    with project.reader() as reader:
        return sum(count for (_, state), count in reader.counts().items() if not state.is_final) + len(
            list((project.data / "inbox").glob("*.calls"))
        )


def test_a_stop_that_has_to_cancel_fits_into_the_units_time(project: Project) -> None:
    project.write(
        hold="""
        @defer
        async def hold():
            note("began")
            while True:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    note("cancelled")
        """
    )
    with supervised(unit_for(project, "--workers", "1"), _environment()) as service:
        assert project.app("from defer.hold import hold\nhold()").returncode == 0
        project.until_noted("began")
        assert service.stop() == 0

    assert project.noted("cancelled")


def test_what_would_fail_again_is_not_started_again(project: Project) -> None:
    project.write(work=WORK)
    with supervised(unit_for(project, "--workers", "1"), _environment()) as service:
        project.write(work="@defer\ndef work():\n    pass\n")
        os.kill(service.pid, signal.SIGKILL)

        assert service.until_over() == 3
    assert service.codes == [-signal.SIGKILL, 3]
