"""What the SQLite engine knows of blocks of neighbours: a bound that holds after everything, and that is narrowed."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from defer_cli.domain.states import State
from defer_cli.store.contract import Store
from defer_cli.store.sqlite import open_store
from defer_cli.store.sqlite.blocks import SPAN_BITS, STATE_BITS
from defer_cli.store.sqlite.migrations import MIGRATIONS, migrate
from tests.store.harness import (
    NOON,
    SECOND,
    Clock,
    abort,
    aborted,
    apply,
    call,
    cancel,
    enqueue,
    fail,
    insert,
    interrupt,
    limits,
    reschedule,
    retry,
    start,
    succeed,
    undone,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "defer.db"


@pytest.fixture
def store(path: Path, clock: Clock) -> Iterator[Store]:
    store = open_store(path, clock=clock)
    yield store
    store.close()


def rows(path: Path, statement: str, *parameters: object) -> list[tuple[int, ...]]:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        found = connection.execute(statement, parameters).fetchall()
    connection.close()
    return found


def states(path: Path, block: int = 0) -> set[str]:
    """Return the states that a block may hold."""
    ((mask,),) = rows(path, "SELECT states FROM blocks WHERE block = ?", block)
    return {state for state, bit in STATE_BITS.items() if mask & bit}


def breaches(path: Path) -> list[tuple[int, ...]]:
    """Return executions that a search would pass over though their block holds them."""
    masks = " ".join(f"WHEN '{state}' THEN {bit}" for state, bit in STATE_BITS.items())
    return rows(
        path,
        f"""
        SELECT e.seq, b.* FROM executions AS e LEFT JOIN blocks AS b ON b.block = e.seq >> 8
        WHERE b.block IS NULL OR NOT b.states & CASE e.state {masks} END
           OR NOT b.sources & CASE e.came_from WHEN 'call' THEN 1 WHEN 'tick' THEN 2 ELSE 4 END
           OR (e.error_code IS NOT NULL AND NOT b.codes)
           OR NOT (e.scheduled_us >> {SPAN_BITS} BETWEEN b.due_min AND b.due_max
                   OR e.scheduled_us >> {SPAN_BITS} BETWEEN b.later_min AND b.later_max)
           OR (e.started_us IS NOT NULL AND NOT e.started_us >> {SPAN_BITS} BETWEEN b.started_min AND b.started_max)
        """,
    )


def test_a_block_is_written_when_it_may_hold_something_new_only(store: Store, path: Path, clock: Clock) -> None:
    enqueue(store)
    before = rows(path, "SELECT * FROM blocks")
    for _ in range(20):
        enqueue(store)

    assert rows(path, "SELECT * FROM blocks") == before
    start(store, limit=1)
    assert rows(path, "SELECT * FROM blocks") != before


def test_what_was_undone_is_not_taken_for_written(store: Store, path: Path) -> None:
    enqueue(store)
    with undone(store.transaction()):
        store.claim(limit=1, runner="a", functions=limits())
    start(store)

    assert states(path) == {"created", "started"}


def test_settling_narrows_what_has_ended(store: Store, path: Path) -> None:
    insert(store, *(call() for _ in range(300)))
    apply(store, *(succeed(running) for running in start(store, limit=300)))
    with store.transaction():
        assert store.settle_blocks(limit=10) == 1

    assert states(path) == {"succeed"}
    assert states(path, 1) == {"created", "started", "succeed"}, "the newest block is still being filled"


def test_settling_rests_until_something_moves(store: Store, path: Path) -> None:
    insert(store, *(call() for _ in range(600)))

    assert settled(store) == 0
    apply(store, *(succeed(running) for running in start(store, limit=255)))
    assert settled(store) == 1
    assert settled(store) == 0


def settled(store: Store) -> int:
    """Return how many blocks were narrowed in four turns, each with its commit."""
    narrowed = 0
    for _ in range(4):
        with store.transaction():
            narrowed += store.settle_blocks(limit=1)
    return narrowed


@pytest.mark.parametrize("seed", range(8))
def test_the_bounds_hold_after_whatever_happens(store: Store, path: Path, clock: Clock, seed: int) -> None:
    dice = random.Random(seed)
    made: list[str] = []
    for _ in range(60):
        clock.forward(dice.choice([0, 0.5, 3, 4000, -2]))
        calls = [
            call(
                scheduled_us=clock.now_us + dice.randrange(SECOND * 3600) if dice.random() < 0.3 else None,
                discard_us=clock.now_us + SECOND if dice.random() < 0.1 else None,
            )
            for _ in range(dice.randrange(1, 30))
        ]
        made += [one.id for one in calls]
        insert(store, *calls)
        for running in start(store, limit=dice.randrange(20)):
            end = dice.choice([succeed, fail, retry, interrupt, None])
            if end is retry:
                apply(store, retry(running, scheduled_us=clock.now_us + SECOND))
            elif end is not None:
                apply(store, end(running, at_us=clock.now_us))
            elif abort(store, running.id) is not None and dice.random() < 0.5:
                apply(store, aborted(running, at_us=clock.now_us))
        cancel(store, dice.choice(made))
        reschedule(store, dice.choice(made), clock.now_us + dice.randrange(SECOND * 7200))
        with store.transaction():
            store.discard_due(limit=5)
            store.step_back(limit=3)
            store.rerun(dice.choice(made), call().id)
            store.settle_blocks(limit=dice.randrange(3) + 1)
            if dice.random() < 0.1:
                store.take_back(limit=3)
            if dice.random() < 0.1:
                store.prune(before_us=NOON + SECOND, from_seq=0, limit=50)

        assert breaches(path) == []


def test_a_database_of_the_first_schema_gets_its_blocks(path: Path, clock: Clock) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, path, steps=MIGRATIONS[:1])
    connection.executemany(
        "INSERT INTO executions (seq, id, function, state, came_from, created_us, scheduled_us, updated_us, started_us,"
        " is_delayed) VALUES (?, ?, 'f', ?, 'call', 0, ?, 0, ?, ?)",
        [
            (seq, str(seq), dice.choice(list(map(str, State))), NOON + seq * SECOND, dice.choice([None, NOON]), seq % 2)
            for dice in [random.Random(1)]
            for seq in range(1, 1_000)
        ],
    )
    connection.close()
    open_store(path, clock=clock).close()

    assert breaches(path) == []
    assert rows(path, "SELECT count(*) FROM blocks") == [(4,)]
