"""Each workload as a peer does it: one run, its figures."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.harness import cpu_seconds, family, percentile, resident_mb
from benchmarks.peers.lineup import Peer
from benchmarks.peers.running import Stage, stage
from benchmarks.peers.servers import Server

Figures = dict[str, float]

ENQUEUED = 10_000
CALLS = 150
PAUSE_SECONDS = 0.05
CHILDREN = 2_000
IDLE_SECONDS = 60.0
DRAINED = 20_000
DRAINED_SLOWLY = 5_000
SHORT_QUEUE = 10_000
LONG_QUEUE = 200_000
FILL_SECONDS = 45.0
_DRAIN_SECONDS = 45.0
ADDED = 2_000
TAKEN = 5_000
_TAKE_SECONDS = 6.0
_SETTLE_SECONDS = 3.0


def one_at_a_time(peer: Peer, server: Server) -> Figures:
    """W1a: no worker is alive, so that nothing takes time from the caller."""
    with stage(peer, server.fresh()) as made:
        return {"rate": ENQUEUED / made.play("one", ENQUEUED)["seconds"]}


def bulk(peer: Peer, server: Server) -> Figures:
    """W1b."""
    with stage(peer, server.fresh()) as made:
        return {"rate": ENQUEUED / made.play("many", ENQUEUED)["seconds"]}


def _filled(peer: Peer, made: Stage, count: int) -> int:
    return int(made.play("fill", count, FILL_SECONDS, environment=peer.filling)["filled"])


def drain(peer: Peer, server: Server) -> Figures:
    """W2: from the first result that is seen to the last."""
    with stage(peer, server.fresh()) as made:
        filled = _filled(peer, made, DRAINED_SLOWLY if peer.is_slow else DRAINED)
        seen = made.watched(peer.busy, filled, _DRAIN_SECONDS)
        return {"rate": seen["results"] / seen["seconds"]}


def latency(peer: Peer, server: Server) -> Figures:
    """W3."""
    with stage(peer, server.fresh()) as made, made.working(peer.answering):
        waits = made.play("waits", CALLS, PAUSE_SECONDS, peer.answering.processes)["waits"]
        return {"p50": percentile(waits, 0.5), "p99": percentile(waits, 0.99)}


def fan_out(peer: Peer, server: Server) -> Figures:
    """W4."""
    with stage(peer, server.fresh()) as made, made.working(peer.waiting):
        return {"seconds": float(made.play("fan", CHILDREN, peer.waiting.processes)["seconds"])}


def idle(peer: Peer, server: Server) -> Figures:
    """W5: a whole minute, because peers poll by the second and by the minute."""
    with stage(peer, server.fresh()) as made, made.working(peer.idle, BENCH_CRONS="1") as pids:
        made.play("waits", 1, 0.0, peer.idle.processes)  # all of its processes have run something
        time.sleep(_SETTLE_SECONDS)  # what starting costs is not idling
        workers = [each for pid in pids for each in family(pid)]
        servers = family(server.pid) if server.pid else []
        before, before_server = cpu_seconds(workers), cpu_seconds(servers)
        time.sleep(IDLE_SECONDS)
        minutes = IDLE_SECONDS / 60
        return {
            "cpu": (cpu_seconds(workers) - before) / minutes,
            "memory": resident_mb(workers),
            "server_cpu": (cpu_seconds(servers) - before_server) / minutes,
            "server_memory": resident_mb(servers),
        }


def backlog(peer: Peer, server: Server) -> Figures:
    """W6: what is added and taken per second behind a long queue, and of that what it was behind a short one."""
    short_added, short_taken, _ = _behind(peer, server, SHORT_QUEUE)
    added, taken, queued = _behind(peer, server, LONG_QUEUE)
    return {
        "queued": queued,
        "added": added,
        "added_share": added / short_added,
        "taken": taken,
        "taken_share": taken / short_taken,
    }


def _behind(peer: Peer, server: Server, count: int) -> tuple[float, float, int]:
    with stage(peer, server.fresh()) as made:
        queued = _filled(peer, made, count)
        added = ADDED / made.play("due", ADDED)["seconds"]
        seen = made.watched(peer.busy, TAKEN, _TAKE_SECONDS)
        return added, seen["results"] / seen["seconds"], queued


WORKLOADS: dict[str, Callable[[Peer, Server], Figures]] = {
    "W1a": one_at_a_time,
    "W1b": bulk,
    "W2": drain,
    "W3": latency,
    "W4": fan_out,
    "W5": idle,
    "W6": backlog,
}
ONCE = frozenset({"W5", "W6"})
"""Run once whatever --runs says: they take minutes, and ours measures its long queue once too."""
