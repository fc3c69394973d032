"""A function that holds up its worker's loop is named with its line; past its time it alone is charged."""

from __future__ import annotations

import time

import pytest

from tests.faults.figures import tell
from tests.process.harness import Project

pytestmark = [pytest.mark.process, pytest.mark.fault, pytest.mark.timeout(300)]

BLOCKERS = {
    "sleeps": "time.sleep(seconds)",
    "computes": "while time.monotonic() < until: pass",
    "holds_the_interpreter": "re.match('(a+)+$', 'a' * 60 + 'b')",
}


def blocker(name: str, options: str = "retry=False") -> str:
    return f"""
        import re
        @defer({options})
        async def {name}(seconds):
            until = time.monotonic() + seconds
            note("{name}", time.monotonic())
            {BLOCKERS[name]}  # it blocks here
    """


def guilty_line(project: Project, name: str) -> str:
    lines = (project.folder / f"{name}.py").read_text().splitlines()
    return f"src/defer/{name}.py:{1 + next(n for n, line in enumerate(lines) if 'it blocks here' in line)}"


@pytest.mark.parametrize("name", BLOCKERS)
def test_who_blocks_the_loop_is_named_with_the_line(project: Project, name: str) -> None:
    project.write(**{name: blocker(name)})
    with project.run("--workers", "1") as runner, runner.client() as client:
        id = client.call(name, 60)
        line = runner.until_line("event loop blocked", id)
        (began,) = project.noted(name)
        (pid,) = runner.worker_pids()
        seconds = time.monotonic() - float(began)

    tell(10, fault=f"a function that {name}", runs=1, found=f"named after {seconds * 1000:.0f} ms")
    assert f"function={name} " in line
    assert f"at={guilty_line(project, name)} " in line
    assert f"pid={pid} " in line
