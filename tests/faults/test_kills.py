"""Runners and workers that are killed at random and inside each phase, under load: promises 2 to 7 hold throughout."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from textwrap import dedent

import pytest

from defer_cli.domain.states import State
from tests.faults.checker import Expected, problems
from tests.faults.dying import POINTS
from tests.faults.figures import is_whole, rounds, tell
from tests.faults.ledger import CALLER, HELPERS, Ledger
from tests.process.harness import DEADLINE_SECONDS, Project, Runner, until
from tests.process.test_crons_clock import lost_and_doubled

pytestmark = [pytest.mark.process, pytest.mark.fault, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
SEED = 7
CALLERS = 2
FEW = 6
INSIDE = ("claim", "outcome", "take-back")
LIVE = [state for state in State if not state.is_final]
FUNCTIONS = {
    "quick": """
        @defer
        async def quick(number):
            begins()
            ends()
    """,
    "slow": """
        @defer
        async def slow(number):
            begins()
            await asyncio.sleep(0.1)
            ends()
    """,
    "limited": """
        @defer(concurrency=2)
        async def limited(number):
            begins()
            await asyncio.sleep(0.01)
            ends()
    """,
    "flaky": """
        @defer(retry={"max_attempts": 3, "initial_interval": 0.05, "randomization_factor": 0})
        async def flaky(number):
            begins()
            ends()
            if current_execution().attempt == 1:
                raise ConnectionError("try again")
    """,
    "parent": """
        from .child import child
        @defer
        async def parent(number):
            begins()
            for part in range(2):
                await await_result(child)(number, part)
            ends()
    """,
    "child": """
        @defer
        async def child(number, part):
            begins()
            ends()
    """,
}
CALLED = [name for name in FUNCTIONS if name != "child"]
EXPECTED = Expected(concurrency={"limited": 2}, raises={"flaky": 1}, children={"parent": 2})
WORKERS = 2
OPTIONS = ("--workers", str(WORKERS), "--log-level", "info")
_SUSPECTED = "losses > 0 OR isolation > 0"
"""Who has seen a runner die, or runs alone: a third death in a row would be held against it."""


class Loaded(Project):
    """A project that applications call without end, and whose runners die."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        (root / "src" / "effects.py").write_text("import os, time\nfrom defer_cli import current_execution\n" + HELPERS)
        self.write(
            **{name: f"from effects import begins, ends\n{dedent(source)}" for name, source in FUNCTIONS.items()}
        )
        self.ledger = Ledger(self.notes)
        self.deaths = self.notes / "deaths"
        self.pool: list[int] = []
        """Workers of the pool that live since their runner was ready: those that came later may be isolated ones."""

    @contextmanager
    def load(self) -> Iterator[None]:
        """Call without end, meanwhile."""
        modules = ", ".join(f"{name}.{name}" for name in CALLED)
        source = CALLER.format(
            functions=", ".join(CALLED), modules=modules, ledger=str(self.ledger.path), at_once=4, pause=0.1
        )
        callers = [self.start_app(source) for _ in range(CALLERS)]
        yield
        self.note("enough")
        for caller in callers:
            said, _ = caller.communicate(timeout=DEADLINE_SECONDS)
            assert caller.returncode == 0, said

    def dying(self, phase: str, point: str, nth: int) -> Runner:
        """Start a runner that dies inside a phase."""
        how = [phase, point, str(nth), str(self.deaths)]
        command = [sys.executable, "-m", "tests.faults.dying", *how, "--", "defer", "run", "--port", "off", *OPTIONS]
        process = self._start([*command, "--project", str(self.root)], environment={"PYTHONPATH": str(ROOT)})
        return Runner(process, self.data)

    def ready(self) -> Runner:
        """Start a runner and wait until it is ready."""
        runner = self.start(*OPTIONS)
        runner.until_line("runner ready")
        self.pool = sorted(runner.worker_pids())[:WORKERS]
        return runner

    def has_ended(self) -> bool:
        """Whether nothing that was accepted still waits or runs."""
        return not any((self.data / "inbox").glob("*")) and not self.in_state(*LIVE)

    def until_calm(self) -> None:
        """Wait until nothing is left that another death would be too much for."""
        with closing(sqlite3.connect(f"{(self.data / 'defer.db').as_uri()}?mode=ro", uri=True)) as connection:
            suspected = f"SELECT 1 FROM executions WHERE finished_us IS NULL AND ({_SUSPECTED}) LIMIT 1"
            until(lambda: not connection.execute(suspected).fetchall(), "the end of all suspects")


def plan(random: Random) -> list[tuple[str, str]]:
    """Return what is killed, and where, in an order that is the same in each run."""
    inside = [(phase, point) for phase in INSIDE for point in POINTS for _ in range(rounds(1, 7))]
    whole = inside + [("worker", "")] * rounds(2, 60)
    random.shuffle(whole)
    return whole if is_whole() else whole[:FEW]


def test_killed_at_random_and_in_each_phase_nothing_is_lost_or_run_twice(tmp_path: Path) -> None:
    random = Random(SEED)
    project = Loaded(tmp_path / "project")
    killed: Counter[str] = Counter()
    try:
        runner = project.ready()
        with project.load():
            for phase, point in plan(random):
                runner = kill(project, runner, random, phase, point, killed)
        until(project.has_ended, "the end of all that was accepted", seconds=120)
        assert runner.stop() == 0
    finally:
        project.end()

    accepted = len(project.ledger.accepted())
    wrong = problems(project.data / "defer.db", project.ledger, EXPECTED)
    tell(
        *(2, 3, 4, 5, 6, 7),
        fault=f"kill -9 under load, of {told(killed)}",
        runs=killed.total(),
        found=f"{accepted:,} accepted; lost, stuck, run twice at once, run again unrecorded or charged: {len(wrong)}",
    )
    assert wrong == []
    assert killed.total() >= rounds(FEW, 180)
    assert not is_whole() or min(killed[f"a runner inside {phase}"] for phase in INSIDE) >= 20


def kill(project: Loaded, runner: Runner, random: Random, phase: str, point: str, killed: Counter[str]) -> Runner:
    """Have a process die and wait until nobody suffers from it any more; return the runner that lives then."""
    if phase == "worker":
        if not project.pool:
            assert runner.stop() == 0
            runner = project.ready()
        pid = project.pool.pop()
        os.kill(pid, signal.SIGKILL)
        runner.until_line("worker died", f"pid={pid} ")
        with runner.client() as client:
            client.run("quick", 0)  # what that death came to was written before
        killed["workers"] += 1
    else:
        until(lambda: ("slow", State.STARTED) in project.counts(), "something to take back")
        runner.kill()
        killed["runners at random"] += 1
        dying = project.dying(phase, point, 1 if phase == "take-back" else random.randint(1, 20))
        dying.wait()
        killed[f"a runner inside {phase}"] += f"{phase} {point}" in project.deaths.read_text().splitlines()[-1:]
        runner = project.ready()
    project.until_calm()
    return runner


def told(killed: Counter[str]) -> str:
    return ", ".join(f"{what}: {count}" for what, count in sorted(killed.items()))


DYING_WALK = """
import asyncio, sys
from pathlib import Path
from tests.faults.dying import arrange
from tests.process.test_crons_clock import walk
folder, first, point, nth = sys.argv[1:]
arrange("tick", point, int(nth), folder + "/deaths")
asyncio.run(walk(Path(folder), int(first), lambda line: (sys.stdout.write(line), sys.stdout.flush())))
"""


def test_killed_inside_a_tick_each_is_enqueued_once(tmp_path: Path) -> None:
    random, minute, kills = Random(SEED), 0, 0
    for point in POINTS * rounds(1, 8):
        asked = [str(tmp_path), str(minute), point, str(random.randint(1, 20))]
        died = subprocess.run(
            [sys.executable, "-c", DYING_WALK, *asked], stdout=subprocess.PIPE, text=True, cwd=ROOT, check=False
        )
        kills += died.returncode == -signal.SIGKILL
        minute = int(died.stdout.split("\n")[-2])

    lost, doubled, ticks = lost_and_doubled(tmp_path, minute)
    tell(
        7,
        fault="kill -9 inside the enqueueing of a tick",
        runs=kills,
        found=f"{ticks} ticks, lost {lost}, doubled {doubled}",
    )
    assert kills == 3 * rounds(1, 8)
    assert (lost, doubled) == (0, 0)
