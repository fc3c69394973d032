"""A disk that fails stops the runner, which says so; the next start decides, and nothing accepted is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.cycles import Cycle, Moment, Trial, try_each
from tests.faults.figures import tell
from tests.process.harness import Client, Project, Runner

pytestmark = [pytest.mark.process, pytest.mark.fault, pytest.mark.timeout(900)]

FILES = ("defer.db", "defer.db-wal")
FEW = 3
SLOW = 6
"""Fewer would leave out the commits that start something, each of which makes a dozen writes."""
SLOW_AND_FAILED = "error=EIO:delay_enter=333000"
STORE_EXIT = 5
CLOSING = "the store could not be closed"
REASON = ("disk I/O error", "where:", "defer.db", "check the disk")


def moments(cycle: Cycle) -> list[Moment]:
    return [moment for file in FILES for moment in cycle.moments("pwrite64", "fdatasync", file=file)]


def ended_rightly(trial: Trial) -> bool:
    """Whether the runner stopped and said why, also where all had ended and it could only not fold its log."""
    if trial.code == STORE_EXIT:
        return all(words in trial.said for words in REASON)
    return trial.code == 0 and not trial.has_come


def test_a_write_or_sync_that_fails_stops_the_runner_and_loses_nothing(tmp_path: Path) -> None:
    trials = try_each(tmp_path, moments, fault="error=EIO", few=FEW)

    failed = sum(trial.has_come for trial in trials)
    stopped = sum(trial.code == STORE_EXIT for trial in trials)
    closing = sum(CLOSING in trial.said and trial.keeps_log for trial in trials)
    wrong = [trial for trial in trials if not (ended_rightly(trial) and trial.ended_well)]
    tell(
        *(1, 2, 15),
        fault="EIO at a write or sync of the database or its log",
        runs=failed,
        found=f"stopped with exit 5: {stopped}, of these as it closed the database, its log kept: {closing}; "
        f"ended otherwise or without the reason, lost, charged or run again unrecorded: {len(wrong)}",
    )
    assert wrong == []
    assert failed >= len(trials) * 3 // 4
    assert stopped == failed
    assert closing


def test_nothing_has_run_whose_commit_failed(tmp_path: Path) -> None:
    """What is begun ahead of its commit is held by its worker: in the time that the write takes it would have run."""
    trials = try_each(
        tmp_path, lambda cycle: cycle.moments("pwrite64", file="defer.db-wal"), fault=SLOW_AND_FAILED, few=SLOW
    )

    wrong = [trial for trial in trials if not trial.ended_well]
    tell(
        4,
        fault="a write to the log that takes a third of a second and fails with EIO",
        runs=sum(trial.has_come for trial in trials),
        found=f"ran before it was on disk as started, lost or charged: {len(wrong)}",
    )
    assert wrong == []
    assert sum(trial.has_come for trial in trials) >= SLOW // 2


def moved(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def another_in_its_place(folder: Path) -> None:
    moved(folder)
    folder.mkdir()


def without_its_log(folder: Path) -> None:
    (folder / "defer.db-wal").unlink()


WAYS: dict[str, Callable[[Path], None]] = {
    "was deleted": shutil.rmtree,
    "was moved": moved,
    "was put in another's place": another_in_its_place,
    "lost its log": without_its_log,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_data_folder_that_goes_away_stops_the_runner(project: Project, way: str) -> None:
    project.write(one="@defer\nasync def one():\n    return 1\n")
    with project.run("--workers", "1") as runner, runner.client() as client:
        client.run("one")
        WAYS[way](project.data)
        calls = called_until_it_stops(client, runner)
        code = runner.wait()

    tell(15, fault=f"a data folder that {way} under a runner", runs=1, found=f"exit {code} at call {calls}")
    assert code == STORE_EXIT
    assert runner.output.count("moved away or deleted while it was in use") == 1
    assert str(project.data / "defer.db") in runner.output


def called_until_it_stops(client: Client, runner: Runner) -> int:
    """Call again and again; return at which call the runner did not take it any more."""
    calls = 1
    while runner.process.poll() is None:
        try:
            client.call("one")
        except (AssertionError, OSError):
            return calls
        calls += 1
    return calls
