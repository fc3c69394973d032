"""Calls that are due at once, of functions without a limit, share one queue: the order stays that of all calls."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest

from defer_cli.store.contract import Limit, Store
from defer_cli.store.sqlite import open_store
from defer_cli.store.sqlite.migrations import MIGRATIONS, migrate
from tests.store.harness import (
    NOON,
    SECOND,
    Clock,
    apply,
    call,
    cancel,
    claim,
    enqueue,
    ids,
    insert,
    interrupt,
    limits,
    start,
    succeed,
    undone,
)


def test_calls_of_many_functions_are_taken_in_the_order_of_all(store: Store) -> None:
    calls = [call(f"f{number % 7}") for number in range(20)]
    known = limits(*{one.function for one in calls})
    insert(store, *calls)

    assert ids(start(store, known, limit=12)) == ids(calls[:12])
    assert ids(start(store, known, limit=12)) == ids(calls[12:])


@pytest.mark.parametrize("known", [limits("compute"), limits(compute=5_000)])
def test_more_of_one_moment_than_one_look_reads_are_taken_in_their_order(
    known: Mapping[str, Limit], store: Store
) -> None:
    start(store, known)
    calls = [call() for _ in range(2_600)]
    insert(store, *calls)

    assert ids(start(store, known, limit=2_500)) == ids(calls[:2_500])
    assert ids(start(store, known, limit=2_500)) == ids(calls[2_500:])


def test_what_waits_for_its_time_or_runs_again_keeps_its_place_among_them(store: Store, clock: Clock) -> None:
    known = limits("a", "b")
    start(store, known)
    later = call("a", scheduled_us=NOON + SECOND)
    again = enqueue(store, "b")
    insert(store, later)
    (running,) = start(store, known)
    apply(store, interrupt(running))
    clock.forward(2)
    fresh = enqueue(store, "a")

    assert ids(start(store, known)) == [again, later.id, fresh]


def test_a_function_that_gets_a_limit_is_held_to_it_and_holds_up_nobody(store: Store) -> None:
    calls = [call(name) for name in "aabab"]
    insert(store, *calls)
    start(store, limits("a", "b"), limit=0)
    known = limits("b", a=1)
    first = start(store, known)
    apply(store, succeed(first[0]))

    assert ids(first) == [calls[0].id, calls[2].id, calls[4].id]
    assert ids(start(store, known)) == [calls[1].id]


def test_a_function_that_loses_its_limit_keeps_its_order(store: Store) -> None:
    start(store, limits("b", a=1))
    calls = [call(name) for name in "aabab"]
    insert(store, *calls[:3])
    start(store, limits("a", "b"), limit=0)
    insert(store, *calls[3:])

    assert ids(start(store, limits("a", "b"))) == ids(calls)


def test_calls_of_a_function_that_is_gone_wait_for_it_and_hold_up_nobody(store: Store) -> None:
    calls = [call(name) for name in "gagg"]
    insert(store, *calls)

    assert ids(start(store, limits("a"))) == [calls[1].id]
    assert ids(start(store, limits("g"))) == [calls[0].id, calls[2].id, calls[3].id]


def test_a_claim_sets_about_a_thousand_apart_and_comes_back_for_the_rest(store: Store) -> None:
    insert(store, *[call("gone") for _ in range(1_500)])
    last = enqueue(store, "a")
    first = claim(store, limits("a"))
    second = claim(store, limits("a"))

    assert (ids(first.started), first.next_due_us) == ([], NOON)
    assert (ids(second.started), second.next_due_us) == ([last], None)


def test_one_that_is_cancelled_or_undone_is_passed_over(store: Store) -> None:
    first, second, third = (enqueue(store, name) for name in "aba")
    known = limits("a", "b")
    cancel(store, second)
    with undone(store.transaction()):
        store.claim(limit=10, runner="r", functions=known)

    assert ids(start(store, known)) == [first, third]


def test_while_no_function_is_known_nothing_is_moved(store: Store) -> None:
    calls = [call(name) for name in "abab"]
    insert(store, *calls)

    assert claim(store, {}).started == []
    assert ids(start(store, {"a": Limit(), "b": Limit()})) == ids(calls)


def test_a_queue_of_the_version_before_is_taken_on(tmp_path: Path) -> None:
    path = tmp_path / "defer.db"
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, path, steps=MIGRATIONS[:6])
    rows = [(seq, f"{seq:026}", "ab"[seq % 2], seq) for seq in range(1, 5)]
    connection.executemany(
        "INSERT INTO executions (seq, id, function, state, came_from, created_us, scheduled_us, updated_us)"
        " VALUES (?1, ?2, ?3, 'created', 'call', ?4, ?4, ?4)",
        rows,
    )
    connection.execute("INSERT INTO counters (function, state, count) VALUES ('a', 'created', 2), ('b', 'created', 2)")
    connection.close()
    store = open_store(path)
    with store.transaction():
        fresh = call("a")
        store.insert([fresh])
        taken = store.claim(limit=10, runner="r", functions=limits("a", "b"))
    store.close()

    assert ids(taken.started) == [*[id for _, id, _, _ in rows], fresh.id]
