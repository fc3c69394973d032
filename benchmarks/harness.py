"""What every workload needs: a project in an empty folder, a runner as a user starts it, rows to read."""

from __future__ import annotations

import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from defer_cli.domain.execution import Execution
from defer_cli.domain.paging import Filters
from defer_cli.store.contract import Reader

DEADLINE_SECONDS = 120.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; ``ratio`` compares with a limit measured in the same run."""

    workload: str
    what: str
    value: str
    spread: str = ""
    ratio: str = ""
    goal: str = ""


@dataclass
class Project:
    """A project of its own, in a folder that goes away."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.root / ".defer"

    def write(self, name: str, source: str) -> None:
        """Write one function file."""
        path = self.root / "src" / "defer" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(source)


@contextmanager
def project(functions: Mapping[str, str]) -> Iterator[Project]:
    """Give a project with these function files."""
    with tempfile.TemporaryDirectory(prefix="defer-bench-") as folder:
        made = Project(Path(folder))
        for name, source in functions.items():
            made.write(name, source)
        yield made


@contextmanager
def runner(
    made: Project, *flags: str, command: str = "run", entry: Sequence[str] = ("-m", "defer_cli")
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `defer run` on the project until the block ends; ``entry`` is how Python is to start it."""
    log = (made.root / "runner.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, *entry, command, "--project", str(made.root), *flags],
        stdout=log,
        stderr=log,
        env=os.environ | made.environment,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            log.close()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Wait until ``condition`` holds; raise ``TimeoutError`` naming ``what`` after two minutes."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {DEADLINE_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)


def wait_until_ready(made: Project) -> None:
    """Wait until the runner says that it is ready."""
    log = made.root / "runner.log"
    wait_for(lambda: b"ready" in log.read_bytes(), "the runner's ready line")


def span_seconds(reader: Reader, function: str, count: int, *, since: str | None = None) -> float:
    """Return the time from the first start of ``since`` (or the function itself) to the last end of a function."""
    ended = [one.finished_at for one in newest(reader, limit=count, functions=[function]) if one.finished_at]
    starts = newest(reader, limit=count, functions=[since or function])
    return (max(ended) - min(one.started_at for one in starts if one.started_at)).total_seconds()


def run_script(made: Project, source: str) -> str:
    """Run a script as an application beside the project would run, and return what it prints."""
    script = made.root / "src" / "bench_app.py"
    script.write_text(source)
    return subprocess.run(
        [sys.executable, str(script)],
        check=True,
        capture_output=True,
        text=True,
        cwd=made.root,
        timeout=DEADLINE_SECONDS,
    ).stdout


def family(pid: int) -> list[int]:
    """Return a process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in family(int(child)))]


def cpu_seconds(pids: Sequence[int]) -> float:
    """Return the CPU time that processes have used, by the clock of each (``man 3 clock_getcpuclockid``).

    ``/proc/PID/stat`` counts in ticks of 10 ms who runs when the tick comes: who wakes by a timer may wake just then,
    each time, and has a tick counted for a tenth of a millisecond.
    """
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def resident_mb(pids: Sequence[int]) -> float:
    """Return the resident memory of processes in MB, what they share counted in each."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * resource.getpagesize() / 1e6


def spread(values: Sequence[float], unit: str = "", digits: int = 0) -> str:
    """Return the smallest and largest of ``values``."""
    return f"{min(values):,.{digits}f}-{max(values):,.{digits}f}{unit}"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` of ``values`` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


median = statistics.median


def newest(reader: Reader, *, limit: int, **filters: Any) -> list[Execution]:
    """Return executions, newest first, however many searches that takes."""
    items: list[tuple[int, Execution]] = []
    after: int | None = None
    while True:
        found = reader.find(Filters(**filters), limit=limit - len(items), after=after)
        items += found.items
        after = found.stopped_at
        if after is None or len(items) == limit:
            return [execution for _, execution in items]
