"""The statements that must stay cheap behind a million rows use the indexes that were made for them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

import pytest

from defer_cli.store.sqlite import figures_statements, statements, waiting_statements
from defer_cli.store.sqlite.migrations import MIGRATIONS


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.executescript("".join(MIGRATIONS))
    yield connection
    connection.close()


def _plan(connection: sqlite3.Connection, statement: str) -> str:
    numbers = [int(number) for number in re.findall(r"\?(\d+)", statement)]
    parameters = [1] * max([statement.count("?") if not numbers else 0, *numbers])
    cursor = connection.execute("EXPLAIN QUERY PLAN " + statement, parameters)
    return "\n".join(row[3] for row in cursor)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CLAIM_DUE", "executions_due (function=? AND scheduled_us>?)"),
        ("CLAIM_DUE_AT_ONCE", "executions_due (function=? AND scheduled_us=? AND seq>?)"),
        ("CLAIM_SHARED", "executions_shared (scheduled_us>?)"),
        ("CLAIM_SHARED_AT_ONCE", "executions_shared (scheduled_us=? AND seq>?)"),
        ("CLAIM_SET_APART", "executions USING INTEGER PRIMARY KEY"),
        ("STEP_BACK_SHARED", "executions_shared (scheduled_us>?)"),
        ("CLAIM_NEVER_STARTED", "executions_due (function=? AND scheduled_us>? AND scheduled_us<?)"),
        ("CLAIM_ISOLATED", "INDEX executions_isolated (scheduled_us<?)"),
        ("CLAIM_ISOLATED_NEXT", "INDEX executions_isolated (scheduled_us>?)"),
        ("CLAIM_ISOLATED_FIRST", "INDEX executions_isolated"),
        ("HAS_ISOLATED", "INDEX executions_isolated"),
        ("HAS_RUNNER_SUSPECTS", "INDEX executions_isolated"),
        ("HAS_RUNNER_SUSPECTS", "e USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("GUILTY", "e USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("TAKE_BACK_LEFT", "e USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("STEP_BACK_ISOLATED", "executions_isolated (scheduled_us>?)"),
        ("CLAIM_READ", "e USING INTEGER PRIMARY KEY"),
        ("CLAIM", "executions USING INTEGER PRIMARY KEY"),
        ("APPLY_SUCCEED", "executions USING INTEGER PRIMARY KEY"),
        ("APPLY_RETRY", "executions USING INTEGER PRIMARY KEY"),
        ("APPLY_MARK_CHILDREN", "executions_of_parent (parent=?)"),
        ("DISCARD_DUE", "executions_to_discard (discard_us>? AND discard_us<?)"),
        ("NEXT_DISCARD_US", "executions_to_discard"),
        ("MARKED_CHILDREN", "executions_marked (parent=? AND call_hash>?)"),
        ("STEP_BACK_AHEAD", "executions_due (function=? AND scheduled_us>?)"),
        ("GET", "(id=?)"),
        ("RESULTS", "(id=?)"),
        ("PREVIEWS", "(id=?)"),
        ("COUNT_CHILDREN", "executions_of_parent (parent=?)"),
        ("LAST_EXECUTIONS", "executions_of_function (function=?)"),
        ("TICKS", "PRIMARY KEY (function=?)"),
        ("PRUNE_LOOK", "executions USING INTEGER PRIMARY KEY (rowid>?)"),
        ("PRUNE_READ", "e USING INTEGER PRIMARY KEY (rowid=?)"),
        ("PRUNE_LOGS_LOOK", "SEARCH log_chunks USING PRIMARY KEY (seq>?)"),
        ("PRUNE_LOGS_READ", "l USING PRIMARY KEY (seq=?)"),
        ("COUNT_KEPT", "below USING INDEX executions_of_parent (parent=?)"),
        ("COUNT_KEPT", "e USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("LENGTHEN_GAP", "gaps_of_function (function=?)"),
    ],
)
def test_a_statement_uses_its_index(connection: sqlite3.Connection, name: str, expected: str) -> None:
    assert expected in _plan(connection, getattr(statements, name))


@pytest.mark.parametrize("index", ["executions_due (function=?", "executions_isolated"])
@pytest.mark.parametrize(
    "name", ["COUNT_DUE", "COUNT_WAITING", "COUNT_WAITING_RETRIES", "COUNT_COMING_RETRIES", "OLDEST_DUE_US"]
)
def test_what_waits_is_counted_by_both_indexes(connection: sqlite3.Connection, name: str, index: str) -> None:
    plan = _plan(connection, getattr(waiting_statements, name))

    assert index in plan
    assert "SCAN executions\n" not in plan + "\n"


@pytest.mark.parametrize("name", ["HAS_SHARED", "OLDEST_SHARED_US", "COUNT_WAITING"])
def test_what_is_shared_is_looked_for_by_its_index(connection: sqlite3.Connection, name: str) -> None:
    assert "INDEX executions_shared" in _plan(connection, getattr(waiting_statements, name))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("OUTCOMES", "history USING PRIMARY KEY (function=? AND hour>?)"),
        ("FAILING", "h USING COVERING INDEX history_of_failures (function=? AND hour>?)"),
        ("ACTIVITY", "h USING PRIMARY KEY (function=? AND hour>?)"),
        ("FORGET_HISTORY", "h USING PRIMARY KEY (function=? AND hour<?)"),
        ("METADATA_KEYS", "SEARCH metadata USING PRIMARY KEY (key>?)"),
        ("METADATA_VALUES", "SEARCH metadata USING PRIMARY KEY (key=? AND value>?)"),
    ],
)
def test_a_figure_is_read_by_its_index(connection: sqlite3.Connection, name: str, expected: str) -> None:
    assert expected in _plan(connection, getattr(figures_statements, name))


@pytest.mark.parametrize(
    "name",
    [
        "CLAIM_DUE",
        "CLAIM_DUE_AT_ONCE",
        "CLAIM_SHARED",
        "CLAIM_SHARED_AT_ONCE",
        "CLAIM_ISOLATED",
        "CLAIM_ISOLATED_FIRST",
        "CLAIM_NEVER_STARTED",
        "DISCARD_DUE",
        "LENGTHEN_GAP",
    ],
)
def test_a_queue_is_read_in_order_without_sorting(connection: sqlite3.Connection, name: str) -> None:
    assert "TEMP B-TREE" not in _plan(connection, getattr(statements, name))
