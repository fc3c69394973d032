"""`make bench-peers`: other runners and defer on the same workloads, one after the other, as docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import platform
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import FrameType

from benchmarks.harness import median
from benchmarks.peers import environments, machine, servers
from benchmarks.peers.lineup import APSCHEDULER, Peer, lineup
from benchmarks.peers.ours import CRONS, OURS, ticks
from benchmarks.peers.page import Run, page
from benchmarks.peers.running import apart
from benchmarks.peers.sheets import SHEETS
from benchmarks.peers.table import Figures, Result
from benchmarks.peers.workloads import ONCE, PAUSE_SECONDS, WORKLOADS
from benchmarks.raw import synced_writes_ms

PAGE = environments.HERE.parent.parent / "docs" / "benchmarks.md"

_SYNCS = 200


def main() -> None:
    """Run what is asked for, and write the page, whatever failed."""
    peers = lineup()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=sorted(SHEETS), metavar="W", help="workloads, e.g. W2 W3")
    parser.add_argument("--peers", nargs="*", choices=[p.name for p in peers], metavar="P", help="e.g. huey saq")
    parser.add_argument("--runs", type=int, default=3, help="runs of each; medians are shown")
    parser.add_argument("--page", type=Path, default=PAGE, help="the file to write")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, _leave)

    began = time.monotonic()
    servers.install_missing()
    peers = [peer for peer in peers if asked.peers is None or peer.name in asked.peers]
    broken = {peer.name: _installing(peer) for peer in peers}
    run = Run(
        moment=datetime.now(UTC),
        machine=machine.described(),
        sync_ms=median(synced_writes_ms(_SYNCS, 0)),
        sync_alone_ms=median(synced_writes_ms(_SYNCS, PAUSE_SECONDS)),
        versions=_versions(peers, broken),
        command=" ".join(["make bench-peers", *([f'ARGS="{" ".join(sys.argv[1:])}"'] if sys.argv[1:] else [])]),
        runs=asked.runs,
    )
    results: dict[str, tuple[Result, list[Result]]] = {}
    for name in asked.only or SHEETS:
        count = 1 if name in ONCE else asked.runs
        _tell(f"{name}: defer")
        ours = _tried("defer", count, OURS[name])
        theirs = [_apscheduler(count)] if name == "W7" else [_measured(name, peer, broken, count) for peer in peers]
        results[name] = ours, theirs
        asked.page.write_text(page(run, peers, results, minutes=(time.monotonic() - began) / 60))
    print(asked.page.read_text())


def _measured(name: str, peer: Peer, broken: dict[str, str], count: int) -> Result:
    _tell(f"{name}: {peer.title}")
    reason = peer.lacks.get(name) or broken[peer.name]
    if reason:
        return Result(peer.title, (), reason)
    try:
        with servers.server(peer.server) as server:
            return _tried(peer.title, count, lambda: WORKLOADS[name](peer, server))
    except Exception as problem:
        return Result(peer.title, (), f"its server failed: {_gist(problem)}")


def _apscheduler(count: int) -> Result:
    _tell("W7: APScheduler")
    script, requirements = APSCHEDULER

    def fire() -> Figures:
        return ticks(apart(requirements, script, CRONS)["delays"])

    return _tried("APScheduler in memory", count, fire)


def _tried(title: str, count: int, measure: Callable[[], Figures]) -> Result:
    """Run a workload; the first failure ends it, and is told with the runs before it."""
    runs: list[Figures] = []
    for _ in range(count):
        try:
            runs.append(measure())
        except Exception as problem:
            _tell(f"  failed: {_gist(problem)}")
            return Result(title, tuple(runs), f"run {len(runs) + 1} failed: {_gist(problem)}")
        _tell(f"  {json.dumps({key: round(value, 2) for key, value in runs[-1].items()})}")
    return Result(title, tuple(runs))


def _installing(peer: Peer) -> str:
    """Install a peer; return why that failed, or nothing."""
    _tell(f"installing {peer.title}")
    try:
        environments.python_of(peer.requirements)
    except (subprocess.SubprocessError, OSError) as problem:
        return f"could not be installed: {_gist(problem)}"
    return ""


def _versions(peers: list[Peer], broken: dict[str, str]) -> dict[str, str]:
    found = {"defer": version("defer-cli"), "Python": platform.python_version(), "SQLite": sqlite3.sqlite_version}
    found |= servers.versions()
    for requirements in sorted({peer.requirements for peer in peers if not broken[peer.name]} | {APSCHEDULER[1]}):
        found |= environments.versions_of(requirements)
    return found


def _gist(problem: Exception) -> str:
    said = getattr(problem, "stderr", None) or str(problem) or type(problem).__name__
    lines = str(said).strip().splitlines()
    return next((line for line in reversed(lines) if "error" in line.lower()), lines[-1])[:240]


def _tell(line: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {line}", file=sys.stderr, flush=True)


def _leave(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)  # unwinds: servers and workers are stopped on the way


if __name__ == "__main__":
    main()
