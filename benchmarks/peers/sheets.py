"""The workloads as the page shows them: titles, columns, and how each figure came to be."""

from __future__ import annotations

from benchmarks import behind
from benchmarks.peers import ours, workloads
from benchmarks.peers.table import Figure, Sheet

_RATE = (Figure("rate", "calls a second", 0, True),)

SHEETS = {
    "W1a": Sheet(
        "W1a: calls, one awaited at a time",
        f"{workloads.ENQUEUED:,} calls from another process, each returned before the next, delayed by an hour so that"
        " nothing runs. The runner of defer lives, because it is what writes; no worker of a peer does, so that nothing"
        " takes time from its caller.",
        _RATE,
    ),
    "W1b": Sheet(
        "W1b: the same calls at once",
        f"{workloads.ENQUEUED:,} calls, delayed by an hour: by the peer's bulk call where it has one (Procrastinate's"
        " batch_defer, PgQueuer's list, DBOS's transaction of many), else gathered. defer: made in a loop, which sends"
        " them, and then each awaited; and gathered, for which asyncio makes a task of each.",
        (*_RATE, Figure("gathered", "gathered, calls a second", 0, None)),
    ),
    "W2": Sheet(
        "W2: queued no-ops to recorded results",
        f"{workloads.DRAINED:,} no-ops ({workloads.DRAINED_SLOWLY:,} for peers that would take long) are queued before"
        " a worker of two processes starts. defer: from the first start to the last outcome on disk, as its database"
        " has them. Peers: from the first recorded end that a watching script sees to the last, so that their start"
        " is not counted.",
        (Figure("rate", "ends a second", 0, True),),
    ),
    "W3": Sheet(
        "W3: call to first line of the function",
        f"{workloads.CALLS} calls from another process, one each {workloads.PAUSE_SECONDS * 1000:.0f} ms, on an idle"
        " worker, after a warm-up. From just before the call to the function's first line. defer begins the function"
        " while the call is synced, and tells its caller after the sync.",
        (Figure("p50", "p50, ms", 2, False), Figure("p99", "p99, ms", 2, False)),
    ),
    "W4": Sheet(
        "W4: one call fans out",
        f"A function calls {workloads.CHILDREN:,} others that sleep for 0.2 s, with 1,000 places in each of two"
        " processes. From the start of the parent to the end of the last child: for defer its end as recorded, for"
        " peers the last line of the function, which comes a little before. 0.2 s is the limit.",
        (Figure("seconds", "seconds", 2, False),),
    ),
    "W5": Sheet(
        "W5: idle with five crons",
        f"CPU and resident memory of all processes over {workloads.IDLE_SECONDS:.0f} s in which nothing is due, after"
        " the start has settled. Memory that processes share is counted in each. The server that a peer needs is shown"
        " beside it and not compared. One run.",
        (
            Figure("cpu", "CPU, s a minute", 2, False),
            Figure("memory", "memory, MB", 0, False),
            Figure("server_cpu", "its server's CPU, s a minute", 2, None),
            Figure("server_memory", "its server's memory, MB", 0, None),
        ),
    ),
    "W6": Sheet(
        "W6: behind a long queue",
        "What adding and taking cost behind a long queue, as a share of the same behind a queue of"
        f" {workloads.SHORT_QUEUE:,}: 1.0 is flat, below is slower. Peers: {workloads.ADDED:,} calls by the way of W1b,"
        f" then up to {workloads.TAKEN:,} ends as in W2, behind {workloads.LONG_QUEUE:,} or as many as could be queued"
        f" in {workloads.FILL_SECONDS:.0f} s. defer: {behind.ADDED:,} calls as in W1b while {ours.QUEUED:,} wait"
        f" for a place of their function, then the first {workloads.DRAINED:,} ends of {ours.QUEUED:,} as in W2. One"
        " run.",
        (
            Figure("queued", "queued", 0, None),
            Figure("added", "added a second", 0, True),
            Figure("added_share", "added, share of short", 2, True),
            Figure("taken", "taken a second", 0, True),
            Figure("taken_share", "taken, share of short", 2, True),
        ),
    ),
    "W7": Sheet(
        "W7: crons due in the same second",
        f"{ours.CRONS:,} crons due at once. defer: from the tick to its execution on disk. APScheduler alone, one job a"
        " cron, in memory: to the first line of the job; nothing is on disk. It has no queue and no results, so it is"
        " in no other workload; the others were not asked for this one.",
        (
            Figure("ran", "ran", 0, None),
            Figure("p99", "p99, ms", 0, False),
            Figure("last", "last, ms", 0, False),
        ),
    ),
}
