"""A runner that is killed at a system call of its own loses nothing that was accepted before, and blames nobody."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.cycles import Cycle, Moment, try_each
from tests.faults.figures import is_whole, tell

pytestmark = [pytest.mark.process, pytest.mark.fault, pytest.mark.timeout(900)]

CALLS = (
    "pwrite64",
    "fdatasync",
    "ftruncate",
    "unlink",
    "sendto",
    "recvfrom",
    "write",
    "epoll_wait",
    "futex",
    "fcntl",
    "openat",
    "close",
)
FEW = 4
"""As many moments, spread over all, does the fast form try."""


def moments(cycle: Cycle) -> list[Moment]:
    """Return the moments of a cycle, each traced as a trial is: a thread that is stopped at more kinds of calls makes
    others, and more of them. The fast form tries too few for that to matter, and traces all kinds at once.
    """
    return [moment for call in CALLS for moment in cycle.moments(call)] if is_whole() else cycle.moments(*CALLS)


def test_a_runner_killed_at_any_system_call_loses_nothing(tmp_path: Path) -> None:
    trials = try_each(tmp_path, moments, fault="signal=KILL", few=FEW)
    killed = sum(trial.code == -signal.SIGKILL for trial in trials)
    wrong = [trial for trial in trials if trial.code not in (0, -signal.SIGKILL) or not trial.ended_well]
    tell(
        *(1, 2, 4, 5),
        fault="kill -9 of the runner at a system call of claiming, running and finishing",
        runs=killed,
        found=f"accepted and lost, run again unrecorded or charged: {len(wrong)}",
    )
    assert wrong == []
    assert killed >= len(trials) * 3 // 4
