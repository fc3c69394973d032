"""W12: a million finished executions are deleted while a runner works: what it costs, and what the file comes to."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import filling
from benchmarks.harness import (
    Project,
    Row,
    median,
    newest,
    percentile,
    project,
    run_script,
    runner,
    span_seconds,
    spread,
    wait_for,
    wait_until_ready,
)
from benchmarks.throughput import SILENT, fill
from defer_cli.domain.states import State
from defer_cli.store.contract import Reader
from defer_cli.store.sqlite.reader import open_reader
from defer_cli.store.sqlite.store import open_store

_STORED = 1_000_000
_OLD_US = 40 * 86_400 * 1_000_000
_QUEUED = 150_000
_A_SECOND, _SECONDS = 2_000, 60
_LOOKED_AT = 20_000
_OFF = {"DEFER_RETENTION_EXECUTIONS": "off", "DEFER_RETENTION_MOST": "off", "DEFER_RETENTION_LOGS": "off"}
_AT_ONCE = """
from defer_cli.engine import retention
retention._FIRST_US = 0
from defer_cli.cli.__main__ import main
main()
"""
_CALLS = """
import asyncio, sys, time
sys.path.insert(0, "src")
from defer.noop import noop

async def main():
    began, made = time.perf_counter(), 0
    while (now := time.perf_counter() - began) < {seconds}:
        due = int(now * {rate}) - made
        for _ in range(due):
            noop()
        made += due
        await asyncio.sleep(0.01)
    print(made)

asyncio.run(main())
"""


def _store_old(path: Path, count: int) -> None:
    """Write executions that finished forty days ago."""
    store = open_store(path)
    filling.fill(store, ["noop"], count, at_us=store.now() - _OLD_US, arguments=b"[[1],{}]", is_finished=True)
    store.close()


@dataclass(frozen=True)
class Told:
    """What one run came to."""

    rate: float
    p99_ms: float = 0.0
    pruned_seconds: float = 0.0
    megabytes: float = 0.0
    log_megabytes: float = 0.0


class _Watch(threading.Thread):
    """Looks when the old ones are gone, and how long the log ahead gets."""

    def __init__(self, made: Project) -> None:
        super().__init__()
        self._made = made
        self._began = time.perf_counter()
        self.seconds = 0.0
        self.log_bytes = 0
        self.is_over = threading.Event()

    def run(self) -> None:
        log = self._made.data / "defer.db-wal"
        while not self.is_over.wait(0.1):
            self.log_bytes = max(self.log_bytes, log.stat().st_size)
            if not self.seconds and b"had finished long ago" in (self._made.root / "runner.log").read_bytes():
                self.seconds = time.perf_counter() - self._began


@contextmanager
def _project(old: Path) -> Iterator[Project]:
    with project({"noop": SILENT}) as made:
        made.data.mkdir(mode=0o700)
        shutil.copy(old, made.data / "defer.db")
        yield made


def _runner(made: Project, *, is_pruning: bool) -> AbstractContextManager[object]:
    made.environment = {} if is_pruning else _OFF
    return runner(made, "--workers", "2", "--log-level", "info", entry=("-c", _AT_ONCE))


def _wait_for_the_last(reader: Reader) -> None:
    def is_over() -> bool:
        return not {State.CREATED, State.STARTED} & {state for _, state in reader.counts()}

    wait_for(is_over, "the end of the last")


def _full_speed(old: Path, *, is_pruning: bool) -> Told:
    with _project(old) as made:
        fill(made, _QUEUED)
        reader = open_reader(made.data / "defer.db")
        with _runner(made, is_pruning=is_pruning):
            wait_until_ready(made)
            _wait_for_the_last(reader)
            seconds = span_seconds(reader, "noop", _QUEUED)
        reader.close()
    return Told(_QUEUED / seconds)


def _offered(old: Path, *, is_pruning: bool) -> Told:
    with _project(old) as made:
        reader = open_reader(made.data / "defer.db")
        with _runner(made, is_pruning=is_pruning):
            wait_until_ready(made)
            watch = _Watch(made)
            watch.start()
            script = _CALLS.replace("{seconds}", str(_SECONDS)).replace("{rate}", str(_A_SECOND))
            began = time.perf_counter()
            made_calls = int(run_script(made, script))
            _wait_for_the_last(reader)
            rate = made_calls / (time.perf_counter() - began)
            ended = newest(reader, limit=_LOOKED_AT, functions=["noop"])
            waits = [
                (one.finished_at - one.created_at).total_seconds() * 1e3 for one in ended if one.finished_at is not None
            ]
            if is_pruning:
                wait_for(lambda: watch.seconds > 0, "the end of the round")
            watch.is_over.set()
            watch.join()
        reader.close()
        size = (made.data / "defer.db").stat().st_size / 1e6
        return Told(rate, percentile(waits, 0.99), watch.seconds, size, watch.log_bytes / 1e6)


def measure(runs: int, stored: int = _STORED) -> list[Row]:
    """Return the rows of W12: each beside a runner on the same store that deletes nothing."""
    with tempfile.TemporaryDirectory(prefix="defer-bench-") as folder:
        old = Path(folder) / "old.db"
        _store_old(old, stored)
        before_mb = old.stat().st_size / 1e6
        some = range(min(runs, 3))
        measured = {
            (measure, is_pruning): [measure(old, is_pruning=is_pruning) for _ in some]
            for measure in (_full_speed, _offered)
            for is_pruning in (False, True)
        }
    rows = []
    for what, measure in (("a full queue", _full_speed), (f"{_A_SECOND:,}/s", _offered)):
        still, pruning = ([one.rate for one in measured[measure, is_pruning]] for is_pruning in (False, True))
        rows.append(
            Row(
                "W12",
                f"no-ops of {what} while {stored:,} finished are deleted",
                f"{median(pruning):,.0f}/s",
                spread(pruning),
                f"{median(pruning) / median(still):.2f} of nothing deleted ({median(still):,.0f}/s)",
                "≥ 0.8",
            )
        )
    still, pruning = ([one.p99_ms for one in measured[_offered, is_pruning]] for is_pruning in (False, True))
    rows.append(
        Row(
            "W12",
            f"call to end at {_A_SECOND:,}/s while they are deleted, p99",
            f"{median(pruning):.1f} ms",
            spread(pruning, digits=1),
            f"{median(pruning) / median(still):.2f} of nothing deleted ({median(still):.1f} ms)",
            "≤ 2",
        )
    )
    took = [one.pruned_seconds for one in measured[_offered, True]]
    sizes = [one.megabytes for one in measured[_offered, True]]
    rows.append(Row("W12", f"{stored:,} deleted at {_A_SECOND:,}/s", f"{median(took):.0f} s", spread(took)))
    rows.append(
        Row(
            "W12",
            "the database after that",
            f"{median(sizes):.0f} MB",
            spread(sizes),
            f"{median(sizes) / before_mb:.2f} of before ({before_mb:.0f} MB)",
            "smaller",
        )
    )
    logs = [one.log_megabytes for one in measured[_offered, True]]
    rows.append(Row("W12", "its log ahead, at most", f"{median(logs):.0f} MB", spread(logs)))
    return rows
