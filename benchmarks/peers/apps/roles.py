"""The roles that every peer's script is run in; a script says only how its peer does the few things of `Peer`."""

from __future__ import annotations

import asyncio
import json
import os
import select
import struct
import sys
import time
from collections.abc import Sequence
from typing import Any, Protocol

LATER_SECONDS = 3600
DEADLINE_SECONDS = 100.0
SERVER = os.environ.get("BENCH_SERVER", "")
"""The URL of the peer's server, or the folder of its file."""
SLOTS = int(os.environ.get("BENCH_SLOTS", "100"))
WITH_CRONS = os.environ.get("BENCH_CRONS") == "1"
CRONS = 5
YEARLY = "0 0 1 1 *"
_CHUNK = 1_000
_MARK = struct.Struct("qq")
_marks: int | None = None

Arguments = tuple[int, ...]


class Peer(Protocol):
    """What a script has to say of its peer; functions are noop, first_line, child and parent."""

    async def prepare(self) -> None:
        """Make what the queue needs before the first call: a schema, a group of consumers."""

    async def call(self, function: str, arguments: Arguments, *, delayed: bool) -> None:
        """Return when the call is as durable as the peer makes it."""

    async def call_many(self, function: str, calls: Sequence[Arguments], *, delayed: bool) -> None:
        """Do the same for many calls, the fastest way that the peer documents."""

    async def recorded(self) -> int:
        """Return a number that has grown by one for each recorded end."""

    async def work(self) -> None:
        """Run functions until the process is told to stop."""


def mark(value: int) -> None:
    """Tell the measuring script a number at once, from inside a function."""
    global _marks
    if _marks is None:
        _marks = os.open(os.environ["BENCH_MARKS"], os.O_RDWR)
    os.write(_marks, _MARK.pack(value, os.getpid()))


def _marked(seconds: float) -> tuple[int, int]:
    """Return the next mark and the process it came from."""
    global _marks
    if _marks is None:
        _marks = os.open(os.environ["BENCH_MARKS"], os.O_RDWR)
    ready, _, _ = select.select([_marks], [], [], seconds)
    if not ready:
        raise TimeoutError(f"no function told of itself within {seconds:.0f} s")
    value, pid = _MARK.unpack(os.read(_marks, _MARK.size))
    return value, pid


def _say(**figures: Any) -> None:
    print(json.dumps(figures), flush=True)


async def _one(peer: Peer, count: int) -> None:
    await peer.call("noop", (-1,), delayed=True)
    began = time.perf_counter()
    for number in range(count):
        await peer.call("noop", (number,), delayed=True)
    _say(seconds=time.perf_counter() - began)


async def _many(peer: Peer, count: int, *, delayed: bool) -> None:
    await peer.call("noop", (-1,), delayed=delayed)
    began = time.perf_counter()
    await peer.call_many("noop", [(number,) for number in range(count)], delayed=delayed)
    _say(seconds=time.perf_counter() - began)


async def _fill(peer: Peer, count: int, seconds: float) -> None:
    """Queue no-ops by the thousand, as many as the time allows."""
    deadline = time.monotonic() + seconds
    filled = 0
    while filled < count and time.monotonic() < deadline:
        chunk = min(_CHUNK, count - filled)
        await peer.call_many("noop", [()] * chunk, delayed=False)
        filled += chunk
    _say(filled=filled)


async def _drain(peer: Peer, count: int, seconds: float) -> None:
    """Watch results being recorded, from the first that is seen; for ``seconds`` at most."""
    base = await peer.recorded()
    _say(watching=True)
    limit = time.monotonic() + DEADLINE_SECONDS
    first = began = 0.0
    while True:
        asked = time.perf_counter()
        done = await peer.recorded() - base
        now = time.perf_counter()
        if done and not began:
            first, began = done, now
        if began and (done >= count or now - began > seconds):
            break
        if time.monotonic() > limit:
            raise TimeoutError(f"{done:,} of {count:,} results within {DEADLINE_SECONDS:.0f} s")
        await asyncio.sleep(min(0.25, max(0.01, 10 * (now - asked))))
    _say(results=done - first, seconds=now - began)


async def _warm(peer: Peer, processes: int) -> None:
    """Call until each of the worker's processes has run a function, or ten seconds have passed."""
    seen: set[int] = set()
    deadline = time.monotonic() + 10.0
    while not seen or (len(seen) < processes and time.monotonic() < deadline):
        await peer.call_many("first_line", [(time.time_ns(),)] * 20, delayed=False)
        seen |= {_marked(30.0)[1] for _ in range(20)}


async def _waits(peer: Peer, count: int, pause: float, processes: int) -> None:
    await _warm(peer, processes)
    waits = []
    for _ in range(count):
        await asyncio.sleep(pause)
        await peer.call("first_line", (time.time_ns(),), delayed=False)
        waits.append(_marked(10.0)[0] / 1e6)
    _say(waits=waits)


async def _fan(peer: Peer, count: int, processes: int) -> None:
    await _warm(peer, processes)
    await peer.call("parent", (count,), delayed=False)
    marks = [_marked(DEADLINE_SECONDS)[0] for _ in range(count + 1)]
    _say(seconds=(max(marks) + min(marks)) / 1e9)  # the parent's start is the only negative one


async def _play(peer: Peer, role: str, numbers: list[float]) -> None:
    whole = [int(number) for number in numbers]
    match role:
        case "prepare":
            await peer.prepare()
        case "one":
            await _one(peer, whole[0])
        case "many":
            await _many(peer, whole[0], delayed=True)
        case "due":
            await _many(peer, whole[0], delayed=False)
        case "fill":
            await _fill(peer, whole[0], numbers[1])
        case "drain":
            await _drain(peer, whole[0], numbers[1])
        case "waits":
            await _waits(peer, whole[0], numbers[1], whole[2])
        case "fan":
            await _fan(peer, whole[0], whole[1])
        case "work":
            await peer.work()
        case _:
            raise ValueError(f"no role {role!r}")


def main(peer: Peer) -> None:
    """Play the role that the command line names; with uvloop where the peer's own requirements have it."""
    playing = _play(peer, sys.argv[1], [float(number) for number in sys.argv[2:]])
    try:
        import uvloop
    except ImportError:
        asyncio.run(playing)
    else:
        uvloop.run(playing)
