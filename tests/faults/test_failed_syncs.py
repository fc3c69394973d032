"""A sync that fails: only a call that was never accepted, and that nobody can ask for again, may have begun before."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from defer_cli.domain.states import State
from tests.faults.cycles import ended_well
from tests.faults.figures import is_whole, tell
from tests.faults.tracing import TracedProject, TracedRunner
from tests.process.harness import Client

pytestmark = [pytest.mark.process, pytest.mark.fault, pytest.mark.timeout(600)]

FUNCTION = """
    @defer
    async def one():
        note("ran", current_execution().id)
"""
FAULT = "error=EIO:delay_enter=333000"
STORE_EXIT = 5
MOST_CALLS = 50
FIRST_SYNC, SYNCS = 6, 12
"""Of the writer. Those of the thread that takes over the store at the start are counted for themselves, and fewer."""


class Trial(NamedTuple):
    """What came of one sync that failed."""

    code: int
    accepted: list[str]
    ran: list[str]
    """What had run when the runner had ended."""
    has_interrupted: bool
    """Whether it was the sync of a call, whose caller then got no answer."""
    wrong: list[str]
    """What had been accepted, and the next runner did not bring to a good end."""

    @property
    def unheard_of(self) -> list[str]:
        """What had run although its caller was never told that it was accepted."""
        return [id for id in self.ran if id not in self.accepted]


def test_only_what_nobody_has_heard_of_runs_ahead_of_a_sync_that_fails(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:  # a trial waits most of its time
        plain, keyed = pool.map(lambda has_keys: try_all(tmp_path, has_keys=has_keys), (False, True))
    trials = plain + keyed
    wrong = [id for each in trials for id in each.wrong]
    ahead = [id for each in keyed for id in each.unheard_of]
    unheard_of = [id for each in plain for id in each.unheard_of]

    tell(
        *(1, 4),
        fault="a sync of the log that takes a third of a second and fails with EIO",
        runs=len(trials),
        found=f"accepted and lost, charged or run again unrecorded: {len(wrong)}; ran ahead of the sync with a key to "
        f"be found by: {len(ahead)}; ran, and were never accepted: {len(unheard_of)}",
    )
    assert [each.code for each in trials] == [STORE_EXIT] * len(trials)
    assert (wrong, ahead) == ([], [])
    assert all(any(each.has_interrupted for each in kind) for kind in (plain, keyed))
    assert unheard_of
    assert all(len(each.unheard_of) <= 1 for each in plain)


def try_all(root: Path, *, has_keys: bool) -> list[Trial]:
    """Have one sync after the other fail, in a project of its own; the fast form ends with the first of a call's."""
    project = TracedProject(root / ("keys" if has_keys else "plain"))
    project.write(one=FUNCTION)
    assert project.burst("--workers", "1").process.returncode == 0  # makes the database
    trials: list[Trial] = []
    for nth in range(FIRST_SYNC, FIRST_SYNC + SYNCS):
        trials.append(trial(project, nth, has_keys=has_keys))
        if trials[-1].has_interrupted and not is_whole():
            break
    return trials


def trial(project: TracedProject, nth: int, *, has_keys: bool) -> Trial:
    """Call again and again until the ``nth`` sync of a runner's writer, which fails; then run the next runner."""
    before, ended = set(project.noted("ran")), project.in_state(State.SUCCEED)
    accepted: list[str] = []
    runner = start(project, nth)
    try:
        with Client(project.data) as client, suppress(ConnectionError, AssertionError):  # no answer, or a refusal
            while len(accepted) < MOST_CALLS:
                accepted.append(client.call("one", key=f"{nth}.{len(accepted)}" if has_keys else None))
        code = runner.wait()
    finally:
        runner.kill()
    ran = [id for id in project.noted("ran") if id not in before]
    assert project.burst("--workers", "1").process.returncode == 0
    has_interrupted = project.in_state(State.SUCCEED) > ended + len(accepted)
    runs = Counter(project.noted("ran"))
    wrong = [id for id in accepted if not ended_well(project.get(id), runs[id])]
    return Trial(code, accepted, ran, has_interrupted, wrong)


def start(project: TracedProject, nth: int) -> TracedRunner:
    """Start a runner; of each of its threads the ``nth`` sync of the log fails, and its workers are left alone."""
    log = str(project.data / "defer.db-wal")
    inject = f"inject=fdatasync:{FAULT}:when={nth}"
    traced = ["-o", "/dev/null", "-P", log, "-e", "trace=fdatasync", "-e", inject]
    runner = project.trace(traced, "--workers", "1")
    runner.until_line("runner ready")
    return runner
