"""W6: what a claim and an enqueue cost behind 1,000,000 queued executions, against an empty store."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.harness import Row, median, spread
from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.ids import random_id
from defer_cli.domain.settle import Move
from defer_cli.domain.states import State
from defer_cli.store.contract import Limit, Store
from defer_cli.store.sqlite.store import open_store

_BATCH = 200
_TURNS = 50
_PROBE = "probe"


def _calls(functions: list[str], count: int, at_us: int) -> list[Enqueue]:
    return [
        Enqueue(id=random_id(), function=functions[number % len(functions)], arguments=b"[1]", called_us=at_us)
        for number in range(count)
    ]


def _fill(store: Store, functions: list[str], count: int) -> None:
    now = store.now()
    for start in range(0, count, 1_000):
        with store.transaction():
            store.insert(_calls(functions, min(1_000, count - start), now))
        if start % 50_000 == 0:
            store.checkpoint()
    store.checkpoint()


def turn_ms(count: int, functions: list[str], limits: Mapping[str, Limit]) -> tuple[float, float]:
    """Return milliseconds of an enqueue of 200 and of a claim of 200 with their outcomes, each with its commit."""
    with tempfile.TemporaryDirectory(prefix="defer-bench-") as folder:
        store = open_store(Path(folder) / "defer.db")
        known = {**limits, _PROBE: Limit()}
        _fill(store, functions, count)
        enqueues: list[float] = []
        claims: list[float] = []
        moves: list[Move] = []
        for _ in range(_TURNS):
            calls = _calls([_PROBE] if limits_front(limits) else [*functions], _BATCH, store.now())
            began = time.perf_counter()
            with store.transaction():
                store.insert(calls)
            enqueues.append(time.perf_counter() - began)
            began = time.perf_counter()
            with store.transaction():
                store.apply(moves)
                claim = store.claim(limit=_BATCH, runner="bench", functions=known)
            claims.append(time.perf_counter() - began)
            now = store.now()
            moves = [
                Move("succeed", r.seq, r.id, r.attempt, State.STARTED, State.SUCCEED, r.function, now)
                for r in claim.started
            ]
            store.checkpoint()
        store.close()
    return median(enqueues) * 1e3, median(claims[1:]) * 1e3


def limits_front(limits: Mapping[str, Limit]) -> bool:
    """Whether the backlog stands in front at its limit, so that only the probe can be claimed."""
    return any(limit.concurrency is not None for limit in limits.values())


def measure(runs: int, count: int = 1_000_000) -> list[Row]:
    """Return the rows of W6."""
    many = [f"f{number}" for number in range(1_000)]
    shapes: dict[str, Callable[[int], tuple[float, float]]] = {
        "one function": lambda n: turn_ms(n, ["f"], {"f": Limit()}),
        "1,000 functions": lambda n: turn_ms(n, many, dict.fromkeys(many, Limit())),
        "one at its limit in front": lambda n: turn_ms(n, ["f"], {"f": Limit(concurrency=1)}),
    }
    rows = []
    for what, shape in shapes.items():
        few = [shape(_BATCH) for _ in range(min(runs, 3))]
        full = [shape(count)]
        for position, name in ((0, "enqueue"), (1, "claim with outcomes")):
            empty_ms = median([times[position] for times in few])
            full_ms = median([times[position] for times in full])
            rows.append(
                Row(
                    "W6",
                    f"{name} of {_BATCH} behind {count:,} of {what}",
                    f"{full_ms:.2f} ms",
                    spread([times[position] for times in few], " ms empty", 2),
                    f"{full_ms / empty_ms:.2f} of empty",
                    "≤ 2, then 1.2",
                )
            )
    return rows
