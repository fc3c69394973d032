"""The trace of a call comes with each of its attempts, and says nothing about which call it is."""

from __future__ import annotations

from defer_cli.domain.enqueue import Stored
from defer_cli.domain.ids import random_id
from defer_cli.store.contract import Store
from tests.store.harness import apply, call, enqueue, insert, interrupt, start

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 vendor=a"
OTHER = "00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203332-01"


def traces(store: Store) -> list[str | None]:
    """Return those of what is started now."""
    return [running.trace for running in start(store)]


def test_every_attempt_has_the_trace_of_its_call(store: Store) -> None:
    enqueue(store, trace=TRACE)
    (first,) = start(store)
    apply(store, interrupt(first))

    assert (first.trace, traces(store)[0]) == (TRACE, TRACE)


def test_most_calls_have_none(store: Store) -> None:
    enqueue(store)

    assert traces(store) == [None]


def test_large_arguments_do_not_lose_it(store: Store) -> None:
    enqueue(store, trace=TRACE, arguments=b'["' + b"x" * 100_000 + b'"]')

    assert traces(store) == [TRACE]


def test_the_same_call_in_another_trace_is_the_same_call(store: Store) -> None:
    id = enqueue(store, trace=TRACE)
    (again,) = insert(store, call(id=id, trace=OTHER))

    assert isinstance(again, Stored)
    assert not again.is_new
    assert traces(store) == [TRACE]


def test_a_rerun_begins_a_trace_of_its_own(store: Store) -> None:
    id = enqueue(store, trace=TRACE)
    start(store)
    with store.transaction():
        assert store.rerun(id, random_id())

    assert traces(store) == [None]
