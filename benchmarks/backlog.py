"""W6: what a claim and an enqueue cost behind 1,000,000 queued executions, against a short queue; rates of a runner."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from operator import truediv
from pathlib import Path

from benchmarks import behind
from benchmarks.filling import calls, fill, succeed
from benchmarks.harness import Row, median
from defer_cli.domain.settle import Move
from defer_cli.store.contract import Limit
from defer_cli.store.sqlite import open_store

_BATCH = 200
_TURNS = 50
_FEW = 10_000
"""The short queue a long one is held against: long enough that all turns find work of every function."""
_PROBE = "probe"
_ARGUMENTS = b"[1]"


@dataclass(frozen=True)
class Shape:
    """What stands in the queue, and which calls are added to it."""

    what: str
    queued: list[str]
    limits: Mapping[str, Limit]
    added: list[str]


class _Queue:
    """A store of its own with a queue in it, and the milliseconds of what was done with it, turn by turn."""

    def __init__(self, folder: Path, shape: Shape, count: int) -> None:
        self.enqueues: list[float] = []
        self.claims: list[float] = []
        self._store = open_store(folder / f"{count}.db")
        self._shape = shape
        self._known = {**shape.limits, _PROBE: Limit()}
        self._moves: list[Move] = []
        fill(self._store, shape.queued, count, known=self._known, arguments=_ARGUMENTS)

    def turn(self) -> None:
        """Enqueue 200, and claim 200 with the outcomes of the 200 before, each with its commit."""
        store = self._store
        called = calls(self._shape.added, _BATCH, store.now(), arguments=_ARGUMENTS)
        began = time.perf_counter()
        with store.transaction():
            store.insert(called)
        enqueued = time.perf_counter()
        with store.transaction():
            store.apply(self._moves)
            claim = store.claim(limit=_BATCH, runner="bench", functions=self._known)
        self.enqueues.append((enqueued - began) * 1e3)
        self.claims.append((time.perf_counter() - enqueued) * 1e3)
        self._moves = succeed(claim.started, store.now())
        store.checkpoint()

    def close(self) -> None:
        """Close the store."""
        self._store.close()


def turns(shape: Shape, count: int) -> tuple[_Queue, _Queue]:
    """Return a short queue and one of ``count``; they took turns, so that what else the machine did met both."""
    with tempfile.TemporaryDirectory(prefix="defer-bench-") as folder:
        short, full = queues = [_Queue(Path(folder), shape, size) for size in (_FEW, count)]
        for number in range(_TURNS):
            for queue in queues if number % 2 else reversed(queues):
                queue.turn()
        for queue in queues:
            queue.close()
    return short, full


def measure(runs: int, count: int = 1_000_000) -> list[Row]:
    """Return the rows of W6: each against the same calls on a store with a short queue of the same shape."""
    many = [f"f{number}" for number in range(1_000)]
    shapes = [
        Shape("one function", ["f"], {"f": Limit()}, [_PROBE]),
        Shape("1,000 functions", many, dict.fromkeys(many, Limit()), [_PROBE]),
        Shape("1,000 functions, each call another", many, dict.fromkeys(many, Limit()), many),
        Shape("one at its limit in front", ["f"], {"f": Limit(concurrency=1)}, [_PROBE]),
    ]
    rows = []
    for shape in shapes:
        short, full = turns(shape, count)
        for name, few_ms, many_ms in (
            ("enqueue", short.enqueues, full.enqueues),
            ("claim with outcomes", short.claims[1:], full.claims[1:]),  # the first has no outcomes yet
        ):
            rows.append(
                Row(
                    "W6",
                    f"{name} of {_BATCH} behind {count:,} of {shape.what}",
                    f"{median(many_ms):.2f} ms",
                    f"{median(few_ms):.2f} ms behind {_FEW:,}",
                    f"{median(map(truediv, many_ms, few_ms)):.2f} of that",
                    "≤ 2, then 1.2",
                )
            )
    return rows + behind.measure(runs, count)
