"""A runner that is killed at a write or sync of its own loses nothing that was accepted before."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from defer_cli.domain.states import State
from tests.faults.figures import rounds, tell
from tests.process.harness import DEADLINE_SECONDS, Project

pytestmark = [pytest.mark.process, pytest.mark.fault, pytest.mark.timeout(600)]

STEP = rounds(12, 1)
MOMENTS = [
    *(("fdatasync", nth) for nth in range(1, 24, STEP)),
    *(("pwrite64", nth) for nth in range(20, 180, STEP * 5)),
]
APP = """
    import sys
    from pathlib import Path
    sys.path.insert(0, str(Path(__file__).parent))
    from defer.nothing import nothing
    for _ in range(3):
        print(nothing().id)
"""


class Traced(Project):
    """A project whose runner is killed by the kernel's own count of its calls."""

    def burst_killed_at(self, call: str, nth: int) -> int:
        inject = ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={nth}"]
        command = self._command("run", "--port", "off", "--burst", "--workers", "1")
        process = self._start(["strace", "-f", "-qq", "-o", "/dev/null", *inject, *command])
        process.communicate(timeout=DEADLINE_SECONDS)
        return process.returncode


def test_a_runner_killed_at_a_write_or_sync_loses_nothing(tmp_path: Path) -> None:
    killed, wrong = 0, []
    for call, nth in MOMENTS:
        project = Traced(tmp_path / f"{call}{nth}")
        project.write(nothing="@defer\nasync def nothing():\n    note('ran', current_execution().id)\n")
        ids = project.app(APP).stdout.split()
        assert len(ids) == 3
        killed += project.burst_killed_at(call, nth) == -signal.SIGKILL
        code = project.burst("--workers", "1").process.returncode
        ran = project.noted("ran")
        ends = [(project.get(id), ran.count(id)) for id in ids]
        if code or any(e.state is not State.SUCCEED or e.charged or not 1 <= n <= e.attempt for e, n in ends):
            wrong.append((call, nth, ends))
        project.end()

    tell(1, 2, 4, 5, fault="kill -9 at a write or sync of the runner", runs=killed, found=f"wrong: {len(wrong)}")
    assert wrong == []
    assert killed >= len(MOMENTS) * 3 // 4
