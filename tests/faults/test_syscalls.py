"""A runner that is killed at a system call of its own loses nothing that was accepted before, and blames nobody."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pytest

from defer_cli.domain.states import State
from tests.faults.cycles import Cycle, Moment
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
LANES = 3
"""Cycles at once: each waits for processes most of the time."""
FEW = 4
"""As many moments, spread over all, does the fast form try."""


def killed_at(cycle: Cycle, moments: list[Moment]) -> tuple[int, list[object]]:
    """Kill a runner at each moment, one after the other; return how often that came, and what was wrong then."""
    killed = 0
    wrong: list[object] = []
    for moment in moments:
        ids = cycle.call()
        code, said, _ = cycle.go_wrong(moment, "signal=KILL")
        killed += code == -signal.SIGKILL
        after = cycle.recover()
        ends = cycle.ends(ids)
        if (
            code not in (0, -signal.SIGKILL)
            or after
            or any(e.state is not State.SUCCEED or e.charged or not 1 <= n <= e.attempt for e, n in ends)
        ):
            wrong.append((moment, code, said, after, ends))
    return killed, wrong


def test_a_runner_killed_at_any_system_call_loses_nothing(tmp_path: Path) -> None:
    lanes = LANES if is_whole() else 1
    cycles = [Cycle(tmp_path / str(number)) for number in range(lanes)]
    moments = cycles[0].moments(*CALLS)
    chosen = moments if is_whole() else moments[:: len(moments) // FEW]
    with ThreadPoolExecutor(lanes) as pool:
        found = list(pool.map(killed_at, cycles, [chosen[lane::lanes] for lane in range(lanes)]))
    for cycle in cycles:
        cycle.end()

    killed, wrong = sum(count for count, _ in found), list(chain.from_iterable(wrong for _, wrong in found))
    tell(
        *(1, 2, 4, 5),
        fault="kill -9 of the runner at a system call of claiming, running and finishing",
        runs=killed,
        found=f"accepted and lost, run again unrecorded or charged: {len(wrong)}",
    )
    assert wrong == []
    assert killed >= len(chosen) * 3 // 4
