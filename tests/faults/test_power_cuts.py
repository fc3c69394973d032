"""The power goes at any moment: what was accepted before is on the disk, and so is what was said to have ended."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from defer_cli.domain.settle import Move
from defer_cli.domain.states import State
from defer_cli.engine.events import Event
from defer_cli.engine.inbox import InboxImport, insert_into
from defer_cli.engine.rescue import put_right
from defer_cli.link.project import DataFolder
from defer_cli.store.sqlite.reader import open_reader
from defer_cli.store.sqlite.store import open_store
from tests.faults.figures import rounds, tell
from tests.faults.images import Disk, cuts
from tests.faults.recording import Operation, Said, Sync, record
from tests.process.harness import Project
from tests.store.harness import newest

pytestmark = [pytest.mark.process, pytest.mark.fault, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
SEED = 11
FUNCTION = """
    @defer
    async def one(number):
        return current_execution().id
"""
CALLS = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, str(Path(__file__).parent))
from defer_cli import await_result
from defer.one import one

async def main():
    for number in range(5):
        call = one(number)
        await call
        sys.stdout.write(f"accepted {call.id}\\n")
    for call in [one(number) for number in range(5)]:
        await call
        sys.stdout.write(f"accepted {call.id}\\n")
    for number in range(5 if "wait" in sys.argv else 0):
        id = await await_result(one)(number)
        sys.stdout.write(f"accepted {id}\\nended {id}\\n")

asyncio.run(main())
"""
STORY = """
import os, signal, subprocess, sys, time

def call(*how):
    subprocess.run([sys.executable, "src/calls.py", *how], check=True)

def runner(*options):
    command = [sys.executable, "-m", "defer_cli", "run", "--port", "off", "--workers", "1", *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)

call()
living = runner()
while not os.path.exists(".defer/runner.sock"):
    time.sleep(0.01)
call("wait")
living.send_signal(signal.SIGTERM)
assert living.wait() == 0
call()
assert runner("--burst").wait() == 0
call()
"""
"""Calls while nobody is there, over a runner's first start, its work and its stop, and over those of a burst."""


@dataclass(frozen=True)
class Recorded:
    """What was written, and what a user had been told by when."""

    root: Path
    operations: Sequence[Operation]

    def told(self, word: str, before: int) -> list[str]:
        """Return the ids that were said to be so before an operation."""
        lines = [one.text.split() for one in self.operations[:before] if isinstance(one, Said)]
        return [line[1] for line in lines if line[:1] == [word]]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    project = Project(tmp_path_factory.mktemp("recorded") / "project")
    project.write(one=FUNCTION)
    (project.root / "src" / "calls.py").write_text(CALLS)
    (project.root / "story.py").write_text(STORY)
    operations = record(
        [sys.executable, "story.py"],
        trace=project.root / "trace",
        folder=project.data,
        environment={"PYTHONUNBUFFERED": "1", "DEFER_PORT": "off"},
    )
    (project.root / "trace").unlink()
    return Recorded(project.root, operations)


class _Silent:
    """Hears what the import of the inbox tells."""

    def settled(self, moves: Sequence[Move]) -> None: ...

    def tell(self, event: Event) -> None:
        raise AssertionError(event)


def images(recorded: Recorded, count: int, data: Path) -> Iterator[int]:
    """Lay down in ``data`` what may be left after each of ``count`` cuts; yield after how many operations it was."""
    random = Random(SEED)
    disk, done = Disk(recorded.root), 0
    for cut in cuts(recorded.operations, count, random):
        while done < cut:
            disk.do(recorded.operations[done])
            done += 1
        image = data.with_name("image")
        disk.image(image, random)
        shutil.rmtree(data, ignore_errors=True)
        if (image / data.name).exists():
            (image / data.name).rename(data)
        shutil.rmtree(image)
        yield cut


def wrong_after_cuts(recorded: Recorded, count: int, folder: Path) -> list[str]:
    """Cut the power ``count`` times and open what is left; return what was wrong then."""
    wrong = []
    for cut in images(recorded, count, folder / ".defer"):
        try:
            states = opened(folder / ".defer")
        except Exception as error:  # a database that does not open is what this looks for
            wrong.append(f"after {cut} operations: {type(error).__name__}: {error}")
        else:
            wrong += broken(recorded, cut, states)
    return wrong


def broken(recorded: Recorded, cut: int, states: Mapping[str, State]) -> list[str]:
    """Return which promises do not hold after a cut."""
    lost = [id for id in recorded.told("accepted", cut) if id not in states]
    undone = [id for id in recorded.told("ended", cut) if states.get(id) is not State.SUCCEED]
    return [f"after {cut} operations: lost {lost}, ended and undone {undone}"] if lost or undone else []


def opened(data: Path) -> dict[str, State]:
    """Open what is left, as the next runner does; return the state of each execution that it has then."""
    data.mkdir(mode=0o700, exist_ok=True)
    store = open_store(data / "defer.db", check=True)
    try:
        put_right(store)
        asyncio.run(InboxImport(DataFolder(str(data)), insert_into(store), _Silent()).run())
    finally:
        store.close()
    return states(data)


def states(data: Path) -> dict[str, State]:
    reader = open_reader(data / "defer.db")
    try:
        return {execution.id: execution.state for execution in newest(reader, limit=1_000)}
    finally:
        reader.close()


def test_what_was_accepted_survives_a_power_cut_at_any_moment(recorded: Recorded, tmp_path: Path) -> None:
    count = rounds(40, 900)
    wrong = wrong_after_cuts(recorded, count, tmp_path)

    accepted = len(recorded.told("accepted", len(recorded.operations)))
    tell(
        1,
        fault="power cuts: what may be left, rebuilt from the recorded writes and syncs of callers and runners",
        runs=count,
        found=f"{accepted} accepted in the course of it; accepted and lost, ended and undone, or damaged: {len(wrong)}",
    )
    assert wrong == []


def test_a_runner_starts_on_what_is_left_and_runs_it(recorded: Recorded, tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    project.write(one=FUNCTION)
    count, wrong = rounds(2, 30), []
    for cut in images(recorded, count, project.data):
        ran = project.burst("--workers", "1")
        found = states(project.data)
        wrong += broken(recorded, cut, found)
        if ran.process.returncode or set(found.values()) - {State.SUCCEED}:
            wrong.append(f"after {cut} operations: exit {ran.process.returncode}, {found}, {ran.output}")
    project.end()

    tell(
        1, 2, fault="power cuts, and a runner that starts afterwards", runs=count, found=f"lost or stuck: {len(wrong)}"
    )
    assert wrong == []


@pytest.mark.parametrize("part", ["inbox", "defer.db"])
def test_it_would_find_a_sync_that_is_missing(recorded: Recorded, tmp_path: Path, part: str) -> None:
    unsynced = [one for one in recorded.operations if not (isinstance(one, Sync) and part in one.path)]

    wrong = wrong_after_cuts(Recorded(recorded.root, unsynced), 60, tmp_path)

    assert any("lost ['" in one for one in wrong), wrong
