"""docs/benchmarks.md, made of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from benchmarks.peers.lineup import Peer
from benchmarks.peers.sheets import SHEETS
from benchmarks.peers.table import Result, losses, section


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What all figures of a page have in common."""

    moment: datetime
    machine: str
    sync_ms: float
    """How long a page takes until it is on disk, one after the other."""
    sync_alone_ms: float
    """And at the pace of W3, when machine and disk have rested in between."""
    versions: Mapping[str, str]
    command: str
    runs: int


def page(
    run: Run, peers: Sequence[Peer], results: Mapping[str, tuple[Result, Sequence[Result]]], *, minutes: float
) -> str:
    """Return the whole page."""
    versions = ", ".join(f"{name} {number}" for name, number in run.versions.items())
    compared = "\n".join(f"| {peer.title} | {peer.durability} | {peer.how} |" for peer in peers)
    behind = "".join(f"- {line}\n" for line in losses(SHEETS, results)) or "In no figure below.\n"
    sections = "\n".join(section(SHEETS[name], ours, theirs) for name, (ours, theirs) in results.items())
    return f"""# Benchmarks

Written by `{run.command}` on {run.moment:%Y-%m-%d %H:%M} UTC, in {minutes:.0f} minutes. Machine: {run.machine}. A
page that is overwritten is on its disk after {run.sync_ms:.2f} ms, at the pace of W3 after {run.sync_alone_ms:.2f} ms:
so long the disk takes for who syncs. {versions}.

Medians of {run.runs} runs (smallest-largest), all on one machine in one run, servers on loopback. Compare only within
this page: elsewhere all figures are others. "defer is" says how many times better defer is than the peer; where it is
worse the number is below 1 and **bold**. "—" is no figure, with the reason below the table.

| | durability | how it is run |
| --- | --- | --- |
| defer on SQLite | fsync of every commit | `defer run --workers 2` (W4: `--slots 1000`) |
{compared}

## Where a peer is better

{behind}
{sections}"""
