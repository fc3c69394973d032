"""The checker finds each kind of broken promise that is planted in a database or ledger where all was well."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.checker import Expected, problems
from tests.faults.ledger import Ledger, Line
from tests.process.harness import Project

pytestmark = [pytest.mark.process, pytest.mark.fault]

EXPECTED = Expected(concurrency={"limited": 1}, raises={"flaky": 1}, children={"parent": 2})
FUNCTIONS = {
    "limited": """
        @defer(concurrency=1)
        async def limited(): ...
    """,
    "flaky": """
        @defer(retry={"max_attempts": 3, "initial_interval": 0.01, "randomization_factor": 0})
        async def flaky():
            if current_execution().attempt == 1:
                raise ValueError("once")
    """,
    "parent": """
        from .child import child
        @defer
        async def parent():
            await child(1)
            await child(2)
    """,
    "child": """
        @defer
        async def child(number): ...
    """,
}
CALLS = ["limited", "limited", "flaky", "parent"]
APP = f"""
    import sys
    from pathlib import Path
    sys.path.insert(0, str(Path(__file__).parent))
    from defer import {", ".join(sorted(set(CALLS)))}
    for call in ({", ".join(f"{name}.{name}()" for name in CALLS)}):
        print(call.id)
"""
MINUTE_US = 60_000_000


@dataclass
class Case:
    """A database where all went well, and what is planted in it."""

    folder: Path
    ids: dict[str, str]
    """The execution of each function; of two the first."""

    @property
    def database(self) -> Path:
        return self.folder / "defer.db"

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.folder)

    def sql(self, statement: str, *parameters: object) -> None:
        with closing(sqlite3.connect(self.database, isolation_level=None)) as connection:
            assert connection.execute(statement, parameters).rowcount > 0

    def found(self) -> list[str]:
        return problems(self.database, self.ledger, EXPECTED)

    def tick(self, minute: int) -> None:
        """Enqueue the tick of a minute."""
        self.sql(
            "INSERT INTO executions (id, function, state, attempt, came_from, created_us, scheduled_us, updated_us)"
            " VALUES (?, 'cron', 'cancelled', 0, 'tick', 0, ?, 0)",
            f"tick {minute} {self.database.stat().st_mtime_ns}",
            minute * MINUTE_US,
        )


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Case:
    project = Project(tmp_path_factory.mktemp("well") / "project")
    project.write(**FUNCTIONS)
    ids = project.app(APP).stdout.split()
    project.burst("--workers", "1")  # it does not wait for the retry
    assert project.burst("--workers", "1").process.returncode == 0
    case = Case(project.data, dict(reversed(list(zip(CALLS, ids, strict=True)))))
    at = 0
    with closing(sqlite3.connect(case.database)) as connection:
        for id, last in connection.execute("SELECT id, attempt FROM executions").fetchall():
            for attempt in range(1, last + 1):
                case.ledger.add([Line(id, attempt, 1, at, False), Line(id, attempt, 1, at + 1, True)])
                at += 2
    case.ledger.path.write_text("".join(f"{id}\n" for id in ids))
    return case


@pytest.fixture
def case(well: Case, tmp_path: Path) -> Case:
    copied = tmp_path / "data"
    shutil.copytree(well.folder, copied, ignore=shutil.ignore_patterns("*.sock"))
    return Case(copied, well.ids)


def lose_one(case: Case) -> None:
    case.sql("DELETE FROM executions WHERE id = ?", case.ids["limited"])


def accept_one_twice(case: Case) -> None:
    with case.ledger.path.open("a") as ledger:
        ledger.write(case.ids["limited"] + "\n")


def leave_one_started(case: Case) -> None:
    case.sql("UPDATE executions SET state = 'started' WHERE id = ?", case.ids["limited"])


def forget_an_attempt(case: Case) -> None:
    case.sql("DELETE FROM attempts WHERE seq = (SELECT seq FROM executions WHERE id = ?)", case.ids["flaky"])


def end_one_twice(case: Case) -> None:
    case.sql(
        "UPDATE attempts SET outcome = 'succeed' WHERE seq = (SELECT seq FROM executions WHERE id = ?)",
        case.ids["flaky"],
    )


def run_one_unrecorded(case: Case) -> None:
    case.ledger.add([Line(case.ids["limited"], 2, 1, 900, False), Line(case.ids["limited"], 2, 1, 901, True)])


def run_an_attempt_twice(case: Case) -> None:
    case.ledger.add([Line(case.ids["limited"], 1, 1, 900, False), Line(case.ids["limited"], 1, 1, 901, True)])


def run_what_is_not_there(case: Case) -> None:
    case.ledger.add([Line("nobody", 1, 1, 900, False)])


def end_what_did_not_run(case: Case) -> None:
    effects = case.folder / "effects"
    kept = [line for line in effects.read_text().splitlines(True) if not line.startswith(case.ids["limited"])]
    effects.write_text("".join(kept))


def charge_an_innocent(case: Case) -> None:
    case.sql("UPDATE executions SET charged = 1 WHERE id = ?", case.ids["limited"])


def run_two_at_once(case: Case) -> None:
    effects = case.folder / "effects"
    lines = [line.split() for line in effects.read_text().splitlines()]
    limited = [line for line in lines if function_of(case, line[0]) == "limited"]
    limited[2][3] = limited[0][3]  # the second begins with the first
    effects.write_text("".join(" ".join(line) + "\n" for line in lines))


def run_one_in_two_processes(case: Case) -> None:
    id = case.ids["flaky"]
    effects = case.folder / "effects"
    kept = [line for line in effects.read_text().splitlines(True) if not line.startswith(id)]
    effects.write_text("".join(kept))
    others = case.ids["limited"]
    case.ledger.add([Line(id, 1, 7, 900, False), Line(id, 2, 8, 910, False), Line(id, 2, 8, 920, True)])
    case.ledger.add([Line(others, 1, 7, 930, True)])  # a sign of life of the first process


def call_a_child_anew(case: Case) -> None:
    case.sql("UPDATE executions SET parent = ? WHERE id = ?", case.ids["parent"], case.ids["limited"])


def lose_a_child(case: Case) -> None:
    case.sql("UPDATE executions SET parent = NULL WHERE parent = ?", case.ids["parent"])


def enqueue_a_tick_twice(case: Case) -> None:
    case.tick(5)
    case.tick(5)


def leave_out_a_tick(case: Case) -> None:
    case.tick(5)
    case.tick(7)


def function_of(case: Case, id: str) -> str:
    with closing(sqlite3.connect(case.database)) as connection:
        (name,) = connection.execute("SELECT function FROM executions WHERE id = ?", (id,)).fetchone()
    return str(name)


PLANTED: dict[Callable[[Case], None], str] = {
    lose_one: "was accepted and is lost",
    accept_one_twice: "was accepted 2 times",
    leave_one_started: "is stuck: started",
    forget_an_attempt: "has attempts [2]",
    end_one_twice: "ran again after attempt 1: succeed",
    run_one_unrecorded: "which is not recorded",
    run_an_attempt_twice: "ran attempt 1 2 times",
    run_what_is_not_there: "ran and is not there",
    end_what_did_not_run: "never came to its end",
    charge_an_innocent: "of limited was charged 1 times",
    run_two_at_once: "2 of limited ran at once, of 1 at most",
    run_one_in_two_processes: "while the process of attempt 1 lived",
    call_a_child_anew: "has 3 children instead of 2",
    lose_a_child: "has 0 children instead of 2",
    enqueue_a_tick_twice: "a tick of cron is there twice",
    leave_out_a_tick: "1 ticks of cron are missing",
}


def test_where_all_went_well_it_finds_nothing(case: Case) -> None:
    assert case.found() == []


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_it_finds_what_is_planted(case: Case, plant: Callable[[Case], None]) -> None:
    plant(case)

    assert any(PLANTED[plant] in problem for problem in case.found()), case.found()


def test_it_finds_a_damaged_database(case: Case) -> None:
    with case.database.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096 * 8)

    with pytest.raises((AssertionError, sqlite3.DatabaseError)):
        case.found()
