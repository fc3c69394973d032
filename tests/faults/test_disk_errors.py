"""A disk that fails stops the runner, which says so; the next start decides, and nothing accepted is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pytest

from defer_cli.domain.states import State
from tests.faults.cycles import Cycle, Moment
from tests.faults.figures import is_whole, tell
from tests.process.harness import Client, Project, Runner

pytestmark = [pytest.mark.process, pytest.mark.fault, pytest.mark.timeout(900)]

LANES = 3
FILES = ("defer.db", "defer.db-wal")
FEW = 3
STORE_EXIT = 5


def failed_at(cycle: Cycle, moments: list[Moment]) -> tuple[int, int, list[object]]:
    """Have each moment fail, one after the other; return how many did, how many stopped, and what was wrong then."""
    failed = stopped = 0
    wrong: list[object] = []
    for moment in moments:
        ids = cycle.call()
        code, said, has_come = cycle.go_wrong(moment, "error=EIO")
        failed += has_come
        stopped += code == STORE_EXIT
        is_told = code != STORE_EXIT or all(
            words in said for words in ("disk I/O error", "where:", "defer.db", "check the disk")
        )
        after = cycle.recover()
        ends = cycle.ends(ids)
        is_whole = all(e.state is State.SUCCEED and not e.charged and 1 <= n <= e.attempt for e, n in ends)
        if code not in (0, STORE_EXIT) or not is_told or after or not is_whole:
            wrong.append((moment, code, said, after, ends))
    return failed, stopped, wrong


def test_a_write_or_sync_that_fails_stops_the_runner_and_loses_nothing(tmp_path: Path) -> None:
    lanes = LANES if is_whole() else 1
    cycles = [Cycle(tmp_path / str(number)) for number in range(lanes)]
    moments = [moment for file in FILES for moment in cycles[0].moments("pwrite64", "fdatasync", file=file)]
    chosen = moments if is_whole() else moments[:: len(moments) // FEW]
    with ThreadPoolExecutor(lanes) as pool:
        found = list(pool.map(failed_at, cycles, [chosen[lane::lanes] for lane in range(lanes)]))
    for cycle in cycles:
        cycle.end()

    failed, stopped = sum(one[0] for one in found), sum(one[1] for one in found)
    wrong = list(chain.from_iterable(one[2] for one in found))
    tell(
        *(1, 2, 15),
        fault="EIO at a write or sync of the database or its log",
        runs=failed,
        found=f"stopped with exit 5: {stopped}, accepted and lost: {len(wrong)}",
    )
    assert wrong == []
    assert failed >= len(chosen) * 3 // 4
    assert stopped >= failed // 2


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
    assert "moved away or deleted while it was in use" in runner.output
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
