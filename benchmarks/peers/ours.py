"""The same workloads as defer does them: measured by what `make bench` measures them with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from benchmarks import behind, crons, enqueueing, fanout, idle, latency, throughput
from benchmarks.harness import percentile
from benchmarks.peers import workloads
from benchmarks.peers.workloads import Figures

QUEUED = 1_000_000
CRONS = 1_000


def _at_once() -> Figures:
    looped, gathered = (enqueueing.rate(how, workloads.ENQUEUED) for how in ("in_a_loop", "gathered"))
    return {"rate": looped, "gathered": gathered}


def _drain() -> Figures:
    return {"rate": throughput.rate(throughput.SILENT)}


def _latency() -> Figures:
    waits = latency.waits_ms(workloads.CALLS, workloads.PAUSE_SECONDS)
    return {"p50": percentile(waits, 0.5), "p99": percentile(waits, 0.99)}


def _idle() -> Figures:
    cpu, memory = idle.idle(workloads.IDLE_SECONDS)
    return {"cpu": cpu, "memory": memory, "server_cpu": 0.0, "server_memory": 0.0}


def _backlog() -> Figures:
    with behind.stores() as kept:
        added, few_added = (
            behind.added_per_second(kept, behind.HELD_PILE, count) for count in (QUEUED, workloads.SHORT_QUEUE)
        )
        taken, few_taken = (
            behind.taken_per_second(kept, behind.QUICK_PILE, count) for count in (QUEUED, workloads.DRAINED)
        )
    added_share, taken_share = added / few_added, taken / few_taken
    return {"queued": QUEUED, "added": added, "added_share": added_share, "taken": taken, "taken_share": taken_share}


def ticks(delays: list[float]) -> Figures:
    """Return the figures of crons that were due in the same second."""
    if not delays:
        return {"ran": 0.0}
    return {"ran": len(delays), "p99": percentile(delays, 0.99), "last": max(delays)}


def _crons() -> Figures:
    return ticks(asyncio.run(crons.fire(CRONS))[0])


OURS: dict[str, Callable[[], Figures]] = {
    "W1a": lambda: {"rate": enqueueing.rate("one_at_a_time", workloads.ENQUEUED)},
    "W1b": _at_once,
    "W2": _drain,
    "W3": _latency,
    "W4": lambda: {"seconds": fanout.fan_out_seconds(count=workloads.CHILDREN)},
    "W5": _idle,
    "W6": _backlog,
    "W7": _crons,
}
