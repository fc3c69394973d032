"""However many executions pass through a runner, no process of it grows."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest

from defer_cli.domain.states import State
from tests.faults.figures import is_whole, rounds, tell
from tests.process.harness import Client, Project, until

pytestmark = [pytest.mark.process, pytest.mark.fault, pytest.mark.timeout(900)]

COUNT = rounds(20_000, 1_000_000)
BATCH = 1_000
QUEUED = 10 * BATCH
"""No more wait at once, so that what is held for them is the same all the time."""
EVERY = rounds(BATCH, 10 * BATCH)
MOST_GROWTH, MOST_MEGABYTES = 1.05, 4.0
"""What a process may take more in the last quarter than in the third: its allocator's noise."""
NOTHING = """
    @defer
    async def nothing():
        pass
"""


class Held(NamedTuple):
    """What a process holds."""

    megabytes: float
    descriptors: int
    threads: int


def held_by(pid: int) -> Held:
    process = Path(f"/proc/{pid}")
    found = re.search(r"VmRSS:\s+(\d+) kB", (process / "status").read_text())
    assert found is not None
    return Held(int(found[1]) / 1024, *(len(list((process / of).iterdir())) for of in ("fd", "task")))


def until_succeeded(project: Project, count: int) -> None:
    until(lambda: project.in_state(State.SUCCEED) >= count, f"{count:,} that have succeeded", seconds=60)


def passing(project: Project, client: Client, count: int) -> Iterator[int]:
    """Have so many executions pass; yield how many have been called after each batch."""
    ended = project.in_state(State.SUCCEED)
    for called in range(BATCH, count + 1, BATCH):
        client.calls("nothing", [[]] * BATCH)
        until_succeeded(project, ended + called - QUEUED)
        yield called
    until_succeeded(project, ended + count)


def test_nothing_grows_with_what_has_passed(project: Project) -> None:
    project.write(nothing=NOTHING)
    with project.run("--workers", "2") as runner, runner.client() as client:
        workers = runner.worker_pids()
        pids = {"runner": runner.pid, **{f"worker {n}": pid for n, pid in enumerate(workers, 1)}}
        list(passing(project, client, COUNT // 4))
        client.ask("counts")  # who reads the store for others is made with the first question, and stays
        before = {name: held_by(pid) for name, pid in pids.items()}
        looks = [
            {name: held_by(pid).megabytes for name, pid in pids.items()}
            for called in passing(project, client, COUNT * 3 // 4)
            if called % EVERY == 0
        ]
        after = {name: held_by(pid) for name, pid in pids.items()}
        assert runner.worker_pids() == workers
    shutil.rmtree(project.data)

    third, last = looks[len(looks) // 3 : len(looks) * 2 // 3], looks[len(looks) * 2 // 3 :]
    grown = {name: [median(look[name] for look in part) for part in (third, last)] for name in pids}
    tell(
        13,
        fault=f"{COUNT:,} executions through one runner",
        runs=1,
        found="resident memory in the third and the last quarter: "
        + ", ".join(f"{name} {then:.1f} and {now:.1f} MB" for name, (then, now) in grown.items()),
    )
    assert {name: (one.descriptors, one.threads) for name, one in after.items()} == {
        name: (one.descriptors, one.threads) for name, one in before.items()
    }
    if is_whole():
        assert [
            name for name, (then, now) in grown.items() if now > max(then * MOST_GROWTH, then + MOST_MEGABYTES)
        ] == []
