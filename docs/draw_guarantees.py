"""Draws docs/guarantees.md: what is promised is written here, what was found is kept by ``make faults``."""

from __future__ import annotations

import json
import platform
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.peers.machine import described
from docs.promises import HEAD, LIMITS, PROMISES, Promise
from tests.faults.figures import Figure

PAGE = Path(__file__).with_name("guarantees.md")
MEASURED = Path(__file__).parents[1] / "tests" / "faults" / "measured.json"
"""What the last whole run found: the page can be drawn anew without hours of faults."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A whole run of the fault tests, and where it was."""

    on: str
    machine: str
    python: str
    sqlite: str
    findings: Sequence[Figure]


def measured_now(lines: str) -> Measured:
    """Return what was just told, a line a finding, as found on this machine; in an order that no test's end changes."""
    findings = [msgspec.json.decode(line, type=Figure) for line in lines.splitlines()]
    return Measured(
        on=datetime.now(UTC).date().isoformat(),
        machine=described(),
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        findings=sorted(findings, key=lambda finding: (finding.promises, finding.fault)),
    )


def kept() -> Measured | None:
    """Return what was kept of the last whole run; None before the first."""
    return msgspec.json.decode(MEASURED.read_bytes(), type=Measured) if MEASURED.exists() else None


def draw(measured: Measured | None) -> str:
    """Return the page."""
    findings = [] if measured is None else measured.findings
    sections = ("\n".join(_section(promise, findings)) for promise in PROMISES)
    return "\n".join([HEAD, _place(measured), "", *sections, LIMITS])


def _place(measured: Measured | None) -> str:
    if measured is None:
        return "No whole run is kept yet, so the tables are not here: `make faults` draws them."
    faults = sum(each.runs for each in measured.findings)
    machine = f"{measured.machine}, Python {measured.python}, SQLite {measured.sqlite}"
    return f"Last run: {measured.on}, {faults:,} faults injected; {machine}."


def _section(promise: Promise, findings: Sequence[Figure]) -> Iterator[str]:
    yield f"## {promise.number}. {promise.name}\n"
    yield f"{promise.promise}\n"
    yield f"**How it is kept.** {promise.kept}\n"
    files = ", ".join(f"`{file}`" for file in promise.tests)
    yield f"**How it is proved.** At every `make test`, in `tests/`: {files}.{promise.also}\n"
    rows = [each for each in findings if promise.number in each.promises]
    if rows:
        yield from ["| promise | fault | runs | found |", "| --- | --- | --- | --- |"]
        for each in rows:
            yield f"| {promise.number} | {_cell(each.fault)} | {each.runs:,} | {_cell(each.found)} |"
        yield ""


def _cell(text: str) -> str:
    for sign in "\\`*_|<[":
        text = text.replace(sign, f"\\{sign}")
    return text


def main(arguments: Sequence[str]) -> None:
    """Draw the page from what was kept, or first keep what a run has told into a file."""
    for told in arguments:
        found = asdict(measured_now(Path(told).read_text(encoding="utf-8")))
        MEASURED.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(draw(kept()), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
