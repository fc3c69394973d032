"""W6, as an application sees it: a whole runner behind 1,000,000 executions, against one behind a few."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.enqueueing import NOOP, calls_per_second
from benchmarks.filling import fill
from benchmarks.harness import Project, Row, median, project, runner, wait_for, wait_until_ready
from benchmarks.throughput import SILENT
from defer_cli.domain.states import State
from defer_cli.store.contract import Limit, Reader
from defer_cli.store.sqlite import open_reader, open_store

_SHORT = 10_000
"""The queue that a long one is held against."""
ADDED = 30_000
TAKEN = 20_000
_HELD = """import asyncio
from defer_cli import defer

@defer(concurrency=1)
async def {name}() -> None:
    await asyncio.sleep(3600)
"""
_QUICK = """from defer_cli import defer

@defer
async def {name}() -> None: ...
"""
_MANY = tuple(f"f{number}" for number in range(1_000))


@dataclass(frozen=True)
class Scene:
    """A project, and what its store holds when a runner starts: a pile, and ``TAKEN`` no-ops behind it or none."""

    what: str
    pile: tuple[str, ...]
    source: str
    noop: str
    concurrency: int | None = None
    is_finished: bool = False
    has_more_behind: bool = False

    @property
    def files(self) -> Mapping[str, str]:
        """Return the function files."""
        return {"noop": self.noop} | {name: self.source.format(name=name) for name in self.pile}

    def fill(self, path: Path, count: int) -> None:
        """Make the store, with ``count`` in the pile."""
        store = open_store(path)
        known = {"noop": Limit(), **dict.fromkeys(self.pile, Limit(self.concurrency))}
        fill(store, self.pile, count, known=known, is_finished=self.is_finished)
        if self.has_more_behind:
            fill(store, ["noop"], TAKEN, known=known)
        store.close()


HELD_PILE = Scene("queued of one function", ("held",), _HELD, NOOP, concurrency=1)
QUICK_PILE = Scene("queued of one function", ("quick",), _QUICK, SILENT)
_ADDING = [
    HELD_PILE,
    Scene("queued of 1,000 functions", _MANY, _HELD, NOOP, concurrency=1),
    Scene("finished", ("quick",), _QUICK, NOOP, is_finished=True),
]
_TAKING = [
    QUICK_PILE,
    Scene("queued of 1,000 functions", _MANY, _QUICK, SILENT),
    Scene("queued of one at its limit", ("held",), _HELD, SILENT, concurrency=1, has_more_behind=True),
    Scene("finished", ("quick",), _QUICK, SILENT, is_finished=True, has_more_behind=True),
]


class Stores:
    """Stores that are filled once, and copied for each run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._filled: dict[tuple[Scene, int], Path] = {}

    @contextmanager
    def project(self, scene: Scene, count: int) -> Iterator[Project]:
        """Give a project of its own, with a copy of the store."""
        filled = self._filled.get((scene, count))
        if filled is None:
            filled = self._filled[scene, count] = self._folder / f"{len(self._filled)}.db"
            scene.fill(filled, count)
        with project(scene.files) as made:
            made.data.mkdir(mode=0o700)
            shutil.copy(filled, made.data / "defer.db")
            with (made.data / "defer.db").open("rb+") as copied:
                os.fsync(copied)  # else the kernel writes it while the runner is measured
            yield made


@contextmanager
def stores() -> Iterator[Stores]:
    """Give a place for stores."""
    with tempfile.TemporaryDirectory(prefix="defer-bench-") as folder:
        yield Stores(Path(folder))


def added_per_second(kept: Stores, scene: Scene, count: int) -> float:
    """Return calls a second that a runner takes from another process, behind a pile that nothing is taken from."""
    with kept.project(scene, count) as made, runner(made, "--workers", "2", "--grace", "0s"):
        wait_until_ready(made)
        return calls_per_second(made, "in_a_loop", ADDED)


def taken_per_second(kept: Stores, scene: Scene, count: int) -> float:
    """Return ends a second, on disk, of the first 20,000 that a fresh runner takes, as a reader sees."""
    with kept.project(scene, count) as made:
        before = count if scene.is_finished else 0
        with runner(made, "--workers", "2", "--grace", "0s"):
            wait_until_ready(made)
            reader = open_reader(made.data / "defer.db")
            wait_for(lambda: _ended(reader) > before, "the first end")
            first, began = _ended(reader), time.perf_counter()
            wait_for(lambda: _ended(reader) >= before + TAKEN, f"the end of {TAKEN:,} executions")
            rate = (_ended(reader) - first) / (time.perf_counter() - began)
            reader.close()
            return rate


def measure(runs: int, count: int) -> list[Row]:
    """Return the rows of whole runners; those behind a few and those behind many take turns."""
    asked = [("calls taken a second", added_per_second, scene, _SHORT) for scene in _ADDING]
    asked += [
        ("ends a second", taken_per_second, scene, _SHORT if scene.has_more_behind else TAKEN) for scene in _TAKING
    ]
    rows = []
    with stores() as kept:
        for name, measured, scene, short in asked:
            few = 0 if scene.is_finished else short
            pairs = [(measured(kept, scene, few), measured(kept, scene, count)) for _ in range(runs)]
            shares = [one / other for one, other in pairs]
            rows.append(
                Row(
                    "W6",
                    f"{name} of a whole runner behind {count:,} {scene.what}",
                    f"{median([other for _, other in pairs]):,.0f}/s",
                    f"{median([one for one, _ in pairs]):,.0f}/s behind {few:,}",
                    f"{median(shares):.2f} times as long",
                    "≤ 2, then 1.2",
                )
            )
    return rows


def _ended(reader: Reader) -> int:
    return sum(count for (_, state), count in reader.counts().items() if state == State.SUCCEED)
