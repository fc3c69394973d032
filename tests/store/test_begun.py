"""A call that a claim would take next is stored as started: what is on disk is the same, for one statement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest
from msgspec.structs import astuple

from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.errors import StoreError
from defer_cli.domain.ids import encode_id
from defer_cli.domain.states import State
from defer_cli.store.contract import Claim, Limit, Reader, Store, Taker
from defer_cli.store.sqlite import open_store, statements
from defer_cli.store.sqlite.store import SqliteStore
from tests.store.harness import (
    NOON,
    SECOND,
    Clock,
    apply,
    call,
    claim,
    enqueue,
    ids,
    insert,
    limits,
    state,
    succeed,
    undone,
)

_TABLES = ("executions", "payloads", "metadata", "counters", "history", "blocks")
_BOTH = limits("compute", "other")


@contextmanager
def _opened(path: Path, before: Sequence[Enqueue], functions: Mapping[str, Limit]) -> Iterator[SqliteStore]:
    """Open a store that has claimed before, as that of a runner has."""
    clock = Clock()
    with closing(open_store(path, clock=clock)) as store:
        claim(store, functions, limit=0)
        if before:
            insert(store, *before)
        yield store


def _rows(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    with closing(connect(path)) as database:
        return {table: database.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in _TABLES}


def _insert_and_claim(store: Store, taker: Taker, calls: Sequence[Enqueue], *, is_told: bool) -> Claim:
    with store.transaction():
        half = len(calls) // 2
        for part in (calls[:half], calls[half:]):
            store.insert(part, taker=taker if is_told else None)
        return store.claim(limit=taker.limit, runner=taker.runner, functions=taker.functions)


def _calls(count: int, function: str = "compute", first: int = 1_000_000, **fields: Any) -> list[Enqueue]:
    return [call(function, id=encode_id(first + number), **fields) for number in range(count)]


_SHAPES: dict[str, tuple[list[Enqueue], Mapping[str, Limit], list[Enqueue], int]] = {
    "one": ([], limits(), _calls(1), 10),
    "with all it can have": (
        [],
        limits(),
        _calls(2, arguments=b"[1]", metadata={"k": "v"}, parent="p", call_hash=b"h", trace="t"),
        10,
    ),
    "large": ([], limits(), _calls(3, arguments=b'["' + b"x" * 1_000 + b'"]', metadata={"k": "v"}), 10),
    "more than one statement writes": ([], limits(), _calls(120), 200),
    "more than may run": ([], limits(), _calls(7), 3),
    "nothing may run": ([], limits(), _calls(3), 0),
    "of two functions": ([], _BOTH, _calls(3) + _calls(2, "other", 2_000_000), 4),
    "nobody knows it": ([], limits(), _calls(2) + _calls(2, "gone", 2_000_000) + _calls(2, first=3_000_000), 10),
    "one at a time": ([], limits(compute=1), _calls(3), 10),
    "behind one that has a limit": (
        [],
        limits("other", compute=1),
        _calls(2) + _calls(3, "other", 2_000_000),
        10,
    ),
    "later": ([], limits(), _calls(1) + _calls(2, first=2_000_000, scheduled_us=NOON + SECOND), 10),
    "to be discarded later": ([], limits(), _calls(2, discard_us=NOON + SECOND), 10),
    "too late already": ([], limits(), _calls(2, discard_us=NOON), 10),
    "behind others": (_calls(3, first=500_000), limits(), _calls(4), 5),
    "behind others of another function": (_calls(3, "other", 500_000), _BOTH, _calls(4), 5),
    "before what is due later": (_calls(2, first=500_000, scheduled_us=NOON + SECOND), limits(), _calls(2), 5),
    "known ids": (_calls(1, first=1_000_001), limits(), _calls(4), 10),
    "the same id twice": ([], limits(), _calls(2) + _calls(2), 10),
}


@pytest.mark.parametrize("shape", sorted(_SHAPES))
def test_it_comes_to_the_same_as_to_insert_and_then_to_claim(tmp_path: Path, shape: str) -> None:
    before, functions, calls, limit = _SHAPES[shape]
    claims = []
    for name, is_told in (("told", True), ("apart", False)):
        with _opened(tmp_path / name, before, functions) as store:
            taken = _insert_and_claim(store, Taker(limit, "a", functions), calls, is_told=is_told)
            claims.append(
                [
                    ([astuple(running) for running in each.started], each.ended, each.next_due_us)
                    for each in (taken, claim(store, functions))
                ]
            )

    assert claims[0] == claims[1]
    assert _rows(tmp_path / "told") == _rows(tmp_path / "apart")


def test_the_claim_tells_how_many_of_those_it_started_have_begun(store: Store) -> None:
    claim(store, limits())
    taker = Taker(10, "a", limits())
    alone = _insert_and_claim(store, taker, [call(), call()], is_told=True)
    enqueue(store)
    behind = _insert_and_claim(store, taker, [call()], is_told=True)

    assert [(len(each.started), each.begun) for each in (alone, behind)] == [(2, 2), (2, 0)]


def test_no_claim_has_to_look_for_it(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    claim(store, limits())
    monkeypatch.setattr(statements, "CLAIM_DUE", "no such statement")
    monkeypatch.setattr(statements, "CLAIM_READ", "no such statement")
    calls = [call(), call()]

    assert ids(_insert_and_claim(store, Taker(2, "a", limits()), calls, is_told=True).started) == ids(calls)


def test_it_ends_like_any_other(store: Store, reader: Reader) -> None:
    claim(store, limits())
    (running,) = _insert_and_claim(store, Taker(1, "a", limits()), [call()], is_told=True).started

    assert apply(store, succeed(running)) == [True]
    assert state(reader, running.id) is State.SUCCEED
    assert reader.counts() == {("compute", State.SUCCEED): 1}


def test_a_start_that_no_claim_takes_is_refused_and_undone(store: Store, reader: Reader) -> None:
    claim(store, limits())
    with pytest.raises(StoreError, match="stored as started"), store.transaction():
        store.insert([call()], taker=Taker(1, "a", limits()))

    assert reader.counts() == {}
    assert claim(store).started == []


def test_what_is_undone_was_not_started(store: Store) -> None:
    claim(store, limits())
    taker = Taker(5, "a", limits())
    with undone(store.transaction()):
        store.insert([call()], taker=taker)

    assert claim(store).started == []
    kept = call()
    with store.transaction():
        store.insert([kept], taker=taker)
        with undone(store.savepoint()):
            store.insert([call()], taker=taker)
        taken = store.claim(limit=5, runner="a", functions=limits())
    assert ids(taken.started) == [kept.id]


def test_what_waits_is_not_overtaken(store: Store) -> None:
    first = enqueue(store)
    second = call()

    assert ids(_insert_and_claim(store, Taker(1, "a", limits()), [second], is_told=True).started) == [first]
    assert ids(claim(store).started) == [second.id]


def test_what_has_begun_counts_for_the_next_taker(store: Store) -> None:
    claim(store, limits())
    first, then = [call(), call()], [call(), call()]
    with store.transaction():
        store.insert(first, taker=Taker(2, "a", limits()))
        store.insert(then, taker=Taker(1, "a", limits()))
        taken = store.claim(limit=2, runner="a", functions=limits())

    assert ids(taken.started) == ids(first)
    assert ids(claim(store).started) == ids(then)
