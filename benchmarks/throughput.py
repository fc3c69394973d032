"""W2: queued no-ops to recorded results, from the first claim to the last outcome on disk."""

from __future__ import annotations

from benchmarks import filling
from benchmarks.harness import (
    Project,
    Row,
    median,
    newest,
    project,
    runner,
    span_seconds,
    spread,
    wait_for,
    wait_until_ready,
)
from benchmarks.raw import lives_per_second
from defer_cli.domain.states import State
from defer_cli.store.contract import Reader
from defer_cli.store.sqlite.reader import open_reader
from defer_cli.store.sqlite.store import open_store

SILENT = """from defer_cli import defer

@defer
async def noop() -> None: ...
"""
LOUD = """from defer_cli import defer

@defer
async def noop() -> None:
    print("one line of an ordinary length, as a function would print it")
"""
COUNT = 20_000


def fill(made: Project, count: int, *, function: str = "noop") -> None:
    """Put calls on disk before any runner lives."""
    made.data.mkdir(mode=0o700, exist_ok=True)
    store = open_store(made.data / "defer.db")
    filling.fill(store, [function], count)
    store.close()


def finished(reader: Reader, function: str = "noop") -> int:
    """Return how many executions of a function have succeeded."""
    return reader.counts().get((function, State.SUCCEED), 0)


def rate(source: str, *flags: str, count: int = COUNT) -> float:
    """Return executions a second of one fresh runner with two workers; ``flags`` are more of `defer run`."""
    with project({"noop": source}) as made:
        fill(made, count)
        with runner(made, "--workers", "2", *flags):
            wait_until_ready(made)
            reader = open_reader(made.data / "defer.db")
            wait_for(lambda: finished(reader) == count, f"the end of {count:,} executions")
            seconds = span_seconds(reader, "noop", count)
            if source is LOUD:
                wait_for(lambda: _lines(reader) == count, "the last line in the log")
            reader.close()
        return count / seconds


def _lines(reader: Reader) -> int:
    latest = newest(reader, limit=200, functions=["noop"])
    read = sum(len(reader.log_lines(execution.id)) == 1 for execution in latest)
    return COUNT if read == len(latest) else 0


def measure(runs: int) -> list[Row]:
    """Return the rows of W2; before each run comes one of raw SQLite, for a machine is not as fast all the time."""
    rows: list[Row] = []
    limits: list[float] = []
    for what, source, flags, goal in (
        ("no-ops, silent", SILENT, (), "≥ 25,000/s, then half of raw"),
        ("no-ops, silent, --slots 1000", SILENT, ("--slots", "1000"), ""),
        ("no-ops, a line of log each", LOUD, (), "≥ 15,000/s, then half of raw"),
    ):
        pairs = [(lives_per_second(), rate(source, *flags)) for _ in range(runs)]
        rates = [measured for _, measured in pairs]
        share = median([measured / raw for raw, measured in pairs])
        rows.append(Row("W2", what, f"{median(rates):,.0f}/s", spread(rates), f"{share:.2f} of raw SQLite", goal))
        limits += [raw for raw, _ in pairs]
    beside = "SQLite, insert + claim + finish, 100 a commit, FULL"
    return [Row("raw", beside, f"{median(limits):,.0f}/s", spread(limits)), *rows]
