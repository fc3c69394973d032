"""A full disk refuses new work, lets what runs end, loses nothing, and heals by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from defer_cli.domain.states import State
from defer_cli.store.sqlite.ballast import BALLAST_BYTES
from tests.faults.disks import Disk, mounted
from tests.faults.figures import rounds, tell
from tests.process.harness import DEADLINE_SECONDS, Client, Project, Runner, until

pytestmark = [pytest.mark.process, pytest.mark.fault, pytest.mark.timeout(300)]

HOLDS = """
    @defer(concurrency=10)
    async def holds(number):
        note("began", number)
        await until_noted("go")
        note("returns", number)
        return "x" * 1_000_000
"""
RUNNING = 10
"""They return more than the log has room for."""
BIG = """
    @defer
    async def big(text):
        return len(text)
"""
CALLS_UNTIL_REFUSED = """
    import sys
    from pathlib import Path
    sys.path.insert(0, str(Path(__file__).parent))
    from defer.big import big

    async def main():
        while True:
            try:
                call = big("x" * 1_000_000)
                await call
            except StoreFull as error:
                sys.exit(error.mend)
            print(call.id, flush=True)

    asyncio.run(main())
"""


@contextmanager
def project_on(disk: Disk, root: Path) -> Iterator[Project]:
    """Make a project whose data folder is the disk."""
    project = Project(root)
    project.data = disk.folder
    project.write(holds=HOLDS, big=BIG)
    try:
        yield project
    finally:
        project.end()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / ".defer", megabytes=rounds(100, 500)) as disk:
        yield disk


@pytest.fixture
def project(disk: Disk, tmp_path: Path) -> Iterator[Project]:
    with project_on(disk, tmp_path) as project:
        yield project


def until_refused(project: Project) -> list[str]:
    """Call until the library raises ``StoreFull``; return the ids of what was accepted."""
    caller = project.app(CALLS_UNTIL_REFUSED)
    assert "free disk space" in caller.stderr
    return caller.stdout.split()


def until_accepted(client: Client) -> float:
    """Call until the runner takes it; return after how many seconds."""
    began = time.monotonic()

    def is_accepted() -> bool:
        try:
            client.call("big", "x")
        except AssertionError:
            return False
        return True

    until(is_accepted, "a call that is accepted")
    return time.monotonic() - began


def status_of_a_call(runner: Runner) -> int:
    answer = httpx.put(
        f"{runner.url}/public/v2/executions",
        json={"function_name": "big", "function_arguments": ["x"]},
        timeout=DEADLINE_SECONDS,
    )
    return answer.status_code


def code_of(project: Project, *arguments: str) -> int:
    command = project.command(*arguments)
    command.communicate(timeout=DEADLINE_SECONDS)
    return command.returncode


def told_by_doctor(project: Project) -> list[str]:
    """Return how the full disk and the disk are, in the words of `defer doctor`."""
    output, _ = project.command("doctor").communicate(timeout=DEADLINE_SECONDS)
    lines = [line for line in output.splitlines() if line.startswith(("ok", "warning", "problem"))]
    return [
        line[: 9 + len(name)] for name in ("full disk", "disk") for line in lines if line[9:].startswith(f"{name} ")
    ]


def states(project: Project, ids: list[str]) -> list[State]:
    return [project.get(id).state for id in ids]


def until_ended(project: Project, ids: list[str], what: str) -> None:
    until(lambda: states(project, ids).count(State.SUCCEED) == len(ids), what)


def test_a_full_disk_lets_what_runs_end_and_heals(disk: Disk, project: Project) -> None:
    ballast = disk.folder / "ballast"
    healed = []
    for number in range(rounds(1, 10)):
        with project.run("--workers", "1", "--port", "0") as runner, runner.client() as client:
            assert ballast.stat().st_blocks * 512 == BALLAST_BYTES
            running = client.calls("holds", [[n] for n in range(RUNNING)])
            project.until_noted("began", (2 * number + 1) * RUNNING)
            queued = client.calls("holds", [[n] for n in range(RUNNING)])
            disk.fill()
            accepted = until_refused(project)
            assert status_of_a_call(runner) == 507
            assert code_of(project, "trigger", "big", "x") == 5
            assert not ballast.exists()
            assert told_by_doctor(project) == ["warning  full disk", "problem  disk"]
            project.note("go")
            until_ended(project, running, "the end of what ran, on a full disk")
            assert states(project, queued) == [State.CREATED] * RUNNING
            disk.clear()
            healed.append(until_accepted(client))
            until_ended(project, queued + accepted, "the end of all that was accepted")
            assert ballast.stat().st_blocks * 512 == BALLAST_BYTES
            assert told_by_doctor(project)[0] == "ok       full disk"
            assert runner.stop() == 0
        (project.notes / "go").unlink()

    tell(
        12,
        fault="a full disk while functions run",
        runs=len(healed),
        found="what ran ended, new work got 507, exit 5 and StoreFull, accepted and lost: 0; "
        f"took calls again {max(healed):.1f} s after there was room",
    )


def test_results_survive_a_disk_without_a_byte_left(tmp_path: Path) -> None:
    """A disk that is too small for a ballast."""
    with mounted(tmp_path / ".defer", megabytes=40) as disk, project_on(disk, tmp_path) as project:
        with project.run("--workers", "1") as runner, runner.client() as client:
            assert not (disk.folder / "ballast").exists()
            running = client.calls("holds", [[n] for n in range(RUNNING)])
            project.until_noted("began", RUNNING)
            disk.fill()
            accepted = until_refused(project)
            project.note("go")
            project.until_noted("returns", RUNNING)
            runner.until_line("the store refused")
            on_full = states(project, running).count(State.SUCCEED)
            disk.clear()
            until_accepted(client)
            until_ended(project, running + accepted, "the end of all that was accepted")
            assert runner.stop() == 0
        attempts = [project.get(id).attempt for id in running]

    tell(
        11,
        fault="results on a disk without a byte left",
        runs=RUNNING,
        found=f"{RUNNING - on_full} waited for room, lost or run again: {sum(n != 1 for n in attempts)}",
    )
    assert on_full < RUNNING
    assert attempts == [1] * RUNNING


def test_a_start_on_a_full_disk_is_refused_and_harms_nothing(disk: Disk, project: Project) -> None:
    disk.fill()
    refused = project.burst()
    trigger = code_of(project, "trigger", "big", "x")
    disk.clear()
    with project.run("--workers", "1") as runner, runner.client() as client:
        client.run("big", "x")
        assert runner.stop() == 0

    assert (refused.process.returncode, trigger) == (5, 5)
    assert "free disk space" in refused.output
    assert project.in_state(State.SUCCEED) == 1
