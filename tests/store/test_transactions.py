"""What is undone is undone on disk and in memory; what is committed is there after a restart."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from defer_cli.domain.errors import StoreError
from defer_cli.domain.states import State
from defer_cli.store.contract import Reader, Store
from tests.store.harness import (
    NOON,
    SECOND,
    Clock,
    Engine,
    apply,
    call,
    claim,
    enqueue,
    ids,
    insert,
    limits,
    newest,
    start,
    state,
    succeed,
    undone,
)


def test_a_transaction_that_raises_leaves_nothing(store: Store, reader: Reader) -> None:
    with undone(store.transaction()):
        store.insert([call()])

    assert newest(reader, limit=1) == []
    assert reader.counts() == {}


def test_nothing_is_read_before_it_is_committed(store: Store, reader: Reader) -> None:
    with store.transaction():
        store.insert([call(id="x")])
        before = reader.get("x")

    assert before is None
    assert reader.get("x") is not None


def test_a_claim_that_is_undone_is_claimed_again(store: Store) -> None:
    id = enqueue(store)
    with undone(store.transaction()):
        store.claim(limit=1, runner="a", functions=limits())

    assert ids(start(store)) == [id]


def test_an_undone_claim_gives_its_places_back(store: Store) -> None:
    enqueue(store)
    with undone(store.transaction()):
        store.claim(limit=1, runner="a", functions=limits(compute=1))

    assert len(start(store, limits(compute=1))) == 1


def test_an_undone_end_keeps_the_limit(store: Store) -> None:
    insert(store, call(), call())
    (running,) = start(store, limits(compute=1))
    with undone(store.transaction()):
        store.apply([succeed(running)])

    assert start(store, limits(compute=1)) == []
    assert apply(store, succeed(running)) == [True]


def test_a_savepoint_undoes_only_itself(store: Store, reader: Reader) -> None:
    with store.transaction():
        store.insert([call(id="before")])
        with undone(store.savepoint()):
            store.insert([call(id="inside")])
        store.insert([call(id="after")])

    assert {execution.id for execution in newest(reader, limit=10)} == {"before", "after"}
    assert reader.counts() == {("compute", State.CREATED): 2}


def test_a_savepoint_that_holds_is_committed_with_the_rest(store: Store, reader: Reader) -> None:
    with store.transaction(), store.savepoint():
        store.insert([call(id="x")])

    assert state(reader, "x") is State.CREATED


def test_a_claim_undone_by_a_savepoint_is_claimed_in_the_same_transaction(store: Store) -> None:
    id = enqueue(store)
    with store.transaction():
        with undone(store.savepoint()):
            store.claim(limit=1, runner="a", functions=limits(compute=1))
        again = store.claim(limit=1, runner="a", functions=limits(compute=1)).started

    assert ids(again) == [id]


@pytest.mark.parametrize("do", ["insert", "claim", "apply", "cancel"])
def test_changes_outside_a_transaction_are_refused(store: Store, do: str) -> None:
    work: dict[str, Callable[[], object]] = {
        "insert": lambda: store.insert([call()]),
        "claim": lambda: store.claim(limit=1, runner="a", functions=limits()),
        "apply": lambda: store.apply([]),
        "cancel": lambda: store.cancel("x"),
    }
    with pytest.raises(StoreError, match="outside a transaction"):
        work[do]()


def test_reopening_keeps_everything(engine: Engine, clock: Clock) -> None:
    store = engine.open(clock)
    insert(store, *[call(f"f{number % 3}", arguments=b"[%d]" % number) for number in range(30)])
    for running in start(store, limits("f0"), limit=4)[:2]:
        apply(store, succeed(running, result=b"1"))
    with closing(engine.read()) as reader:
        before = newest(reader, limit=100), reader.counts()
    store.close()
    store = engine.open(clock)
    with closing(engine.read()) as reader:
        after = newest(reader, limit=100), reader.counts()
    store.close()

    assert after == before


def test_reopening_keeps_the_order_and_the_limits(engine: Engine, clock: Clock) -> None:
    store = engine.open(clock)
    calls = [call(f"f{number % 3}") for number in range(30)]
    insert(store, *calls)
    start(store, limits(f0=2))
    store.close()
    store = engine.open(clock)
    taken = start(store, limits("f1", "f2", f0=2), limit=30)
    store.close()

    assert ids(taken) == [one.id for one in calls if one.function != "f0"]


def test_reopening_keeps_when_the_next_is_due(engine: Engine, clock: Clock) -> None:
    store = engine.open(clock)
    enqueue(store, scheduled_us=NOON + SECOND)
    store.close()
    store = engine.open(clock)
    next_due_us = claim(store).next_due_us
    store.close()

    assert next_due_us == NOON + SECOND


def test_a_checkpoint_changes_nothing_that_is_read(store: Store, reader: Reader) -> None:
    id = enqueue(store, metadata={"k": "v"})
    before = reader.get(id)
    store.checkpoint()

    assert reader.get(id) == before
