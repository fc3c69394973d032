"""W6: what a claim and an enqueue cost behind 1,000,000 queued executions, against a short queue; rates of a runner."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
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


def turn_ms(shape: Shape, count: int) -> tuple[float, float]:
    """Return milliseconds of an enqueue of 200, and of a claim of 200 with their outcomes, each with its commit."""
    with tempfile.TemporaryDirectory(prefix="defer-bench-") as folder:
        store = open_store(Path(folder) / "defer.db")
        known = {**shape.limits, _PROBE: Limit()}
        fill(store, shape.queued, count, known=known, arguments=_ARGUMENTS)
        enqueues: list[float] = []
        claims: list[float] = []
        moves: list[Move] = []
        for _ in range(_TURNS):
            called = calls(shape.added, _BATCH, store.now(), arguments=_ARGUMENTS)
            began = time.perf_counter()
            with store.transaction():
                store.insert(called)
            enqueues.append(time.perf_counter() - began)
            began = time.perf_counter()
            with store.transaction():
                store.apply(moves)
                claim = store.claim(limit=_BATCH, runner="bench", functions=known)
            claims.append(time.perf_counter() - began)
            moves = succeed(claim.started, store.now())
            store.checkpoint()
        store.close()
    return median(enqueues) * 1e3, median(claims[1:]) * 1e3


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
        few = [turn_ms(shape, _FEW) for _ in range(min(runs, 3))]
        full = turn_ms(shape, count)
        for position, name in ((0, "enqueue"), (1, "claim with outcomes")):
            empty = [times[position] for times in few]
            rows.append(
                Row(
                    "W6",
                    f"{name} of {_BATCH} behind {count:,} of {shape.what}",
                    f"{full[position]:.2f} ms",
                    f"{median(empty):.2f} ms behind {_FEW:,}",
                    f"{full[position] / median(empty):.2f} of that",
                    "≤ 2, then 1.2",
                )
            )
    return rows + behind.measure(runs, count)
