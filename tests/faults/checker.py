"""Promises 2 to 7, looked for in a whole database and in the ledger of a test, after all has ended."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.ledger import Ledger, Line

FINAL = {"succeed", "failed", "aborted", "cancelled", "discarded"}
_ENDS = {"succeed": "succeed", "fail": "failed", "aborted": "aborted"}
_RUN_AGAIN = {"retry", "loss", "interrupt"}


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a test knows of its functions, by their names."""

    concurrency: Mapping[str, int] = field(default_factory=dict)
    raises: Mapping[str, int] = field(default_factory=dict)
    """How often an execution of it fails by itself, at most; the others never do."""
    children: Mapping[str, int] = field(default_factory=dict)
    """How many calls an execution of it makes, each time it runs."""


@dataclass(frozen=True)
class _Execution:
    id: str
    function: str
    state: str
    charged: int
    parent: str | None
    outcomes: list[tuple[int, str]]


def problems(database: Path, ledger: Ledger, expected: Expected) -> list[str]:
    """Return in words what breaks a promise; the runner must have stopped."""
    executions = _read(database)
    effects = ledger.effects()
    return [
        *_lost(executions, ledger),
        *_ends(executions),
        *_runs(executions, effects),
        *_charges(executions, expected),
        *_overlaps(executions, effects, expected),
        *_twice_at_once(effects),
        *_children(executions, expected),
        *_ticks(database),
    ]


def _read(database: Path) -> dict[str, _Execution]:
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)], "the database is damaged"
        attempts: dict[int, list[tuple[int, str]]] = defaultdict(list)
        for seq, number, outcome in connection.execute("SELECT seq, number, outcome FROM attempts ORDER BY 1, 2"):
            attempts[seq].append((number, outcome))
        found = {}
        for seq, id, function, state, attempt, charged, parent in connection.execute(
            "SELECT seq, id, function, state, attempt, charged, parent FROM executions"
        ):
            outcomes = attempts[seq]
            if state in _ENDS.values():  # the last attempt is the execution's own row
                outcomes.append((attempt, state))
            found[id] = _Execution(id, function, state, charged, parent, outcomes)
        return found


def _lost(executions: Mapping[str, _Execution], ledger: Ledger) -> Iterator[str]:
    for id, count in Counter(ledger.accepted()).items():
        if id not in executions:
            yield f"{id} was accepted and is lost"
        if count > 1:
            yield f"{id} was accepted {count} times"


def _ends(executions: Mapping[str, _Execution]) -> Iterator[str]:
    for one in executions.values():
        if one.state not in FINAL:
            yield f"{one.id} is stuck: {one.state}"
        numbers = [number for number, _ in one.outcomes]
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"{one.id} has attempts {numbers}"
        for number, outcome in one.outcomes[:-1]:
            if outcome not in _RUN_AGAIN:
                yield f"{one.id} ran again after attempt {number}: {outcome}"


def _runs(executions: Mapping[str, _Execution], effects: list[Line]) -> Iterator[str]:
    for (id, attempt), count in Counter((line.id, line.attempt) for line in effects if not line.is_end).items():
        one = executions.get(id)
        if one is None:
            yield f"{id} ran and is not there"
        elif attempt not in [number for number, _ in one.outcomes]:
            yield f"{id} ran attempt {attempt}, which is not recorded"
        if count > 1:
            yield f"{id} ran attempt {attempt} {count} times"
    ended = {line.id for line in effects if line.is_end}
    for one in executions.values():
        if one.state == "succeed" and effects and one.id not in ended:
            yield f"{one.id} succeeded and never came to its end"


def _charges(executions: Mapping[str, _Execution], expected: Expected) -> Iterator[str]:
    for one in executions.values():
        if one.charged > expected.raises.get(one.function, 0):
            yield f"{one.id} of {one.function} was charged {one.charged} times"


def _overlaps(executions: Mapping[str, _Execution], effects: list[Line], expected: Expected) -> Iterator[str]:
    function_of = {one.id: one.function for one in executions.values()}
    for function, limit in expected.concurrency.items():
        highest = _highest_overlap(effects, function_of, function)
        if highest > limit:
            yield f"{highest} of {function} ran at once, of {limit} at most"


def _highest_overlap(effects: list[Line], function_of: Mapping[str, str], function: str) -> int:
    """Return how many attempts of a function ran at once; one that did not come to its end ran until its process died.

    A process is dead at its last line, or when what it ran begins elsewhere.
    """
    running: dict[tuple[str, int], int] = {}
    last = {line.pid: line.at_ns for line in effects}
    highest = 0
    for line in effects:
        if function_of.get(line.id) != function:
            continue
        running = {key: pid for key, pid in running.items() if last[pid] >= line.at_ns}
        if line.is_end:
            running.pop((line.id, line.attempt), None)
        else:
            running[line.id, line.attempt] = line.pid
            highest = max(highest, len(running))
    return highest


def _twice_at_once(effects: list[Line]) -> Iterator[str]:
    """Whether an execution began in one process while another that had begun it still lived."""
    ended = {(line.id, line.attempt) for line in effects if line.is_end}
    last = {line.pid: line.at_ns for line in effects}
    begun: dict[str, Line] = {}
    for line in effects:
        if line.is_end:
            continue
        before = begun.get(line.id)
        if before is not None and (before.id, before.attempt) not in ended and last[before.pid] > line.at_ns:
            yield f"{line.id} began as attempt {line.attempt} while the process of attempt {before.attempt} lived"
        begun[line.id] = line


def _children(executions: Mapping[str, _Execution], expected: Expected) -> Iterator[str]:
    counts = Counter(one.parent for one in executions.values() if one.parent is not None)
    for one in executions.values():
        most = expected.children.get(one.function)
        if most is not None and (counts[one.id] > most or (one.state == "succeed" and counts[one.id] < most)):
            yield f"{one.id} of {one.function} has {counts[one.id]} children instead of {most}"


def _ticks(database: Path) -> Iterator[str]:
    """Whether a tick of a cron that fires every minute was enqueued twice, or left out."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT function, scheduled_us FROM executions WHERE came_from = 'tick' ORDER BY 1, 2"
        ).fetchall()
    ticks: dict[str, list[int]] = defaultdict(list)
    for function, at_us in rows:
        ticks[function].append(at_us // 60_000_000)
    for function, minutes in ticks.items():
        if len(minutes) > len(set(minutes)):
            yield f"a tick of {function} is there twice"
        missing = set(range(minutes[0], minutes[-1] + 1)) - set(minutes)
        if missing:
            yield f"{len(missing)} ticks of {function} are missing"
