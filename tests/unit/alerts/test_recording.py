"""Alerts are written with what they tell of, or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec import structs

from defer_cli.alerts.recording import Recorder
from defer_cli.domain.alert import Alert, AlertKind, Grouping, News
from defer_cli.domain.settle import Move, Running
from defer_cli.store.sqlite import open_store
from defer_cli.store.sqlite.store import SqliteStore
from tests.store.harness import NOON, SECOND, Clock, enqueue, fail, limits, succeed

FAR_US = NOON + 10**12


class Bench:
    """A recorder on a real store, and executions to end."""

    def __init__(self, store: SqliteStore, *kinds: AlertKind) -> None:
        self.store = store
        self.rings = 0
        self.recorder = Recorder(
            store, kinds=kinds or [AlertKind.FAILURE], channels=["slack"], grouping=Grouping(), on_news=self._ring
        )

    def _ring(self) -> None:
        self.rings += 1

    def start(self, *functions: str) -> list[Running]:
        """Start one execution of each of these, in their order."""
        for function in functions:
            enqueue(self.store, function)
        with self.store.transaction():
            return self.store.claim(limit=1_000, runner="a", functions=limits(*set(functions))).started

    def apply(self, *moves: Move) -> list[bool]:
        with self.store.transaction():
            return self.recorder.apply(self.store, moves)

    def undo(self, *moves: Move) -> None:
        with suppress(ZeroDivisionError), self.store.transaction():
            self.recorder.apply(self.store, moves)
            raise ZeroDivisionError

    def waiting(self) -> list[Alert]:
        return self.store.outbox.due("slack", now_us=FAR_US, limit=100)

    def told(self) -> Sequence[tuple[str, str, int]]:
        return [(str(alert.kind), alert.function, alert.count) for alert in self.waiting()]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = open_store(tmp_path / "defer.db", clock=Clock())
    yield store
    store.close()


@pytest.fixture
def bench(store: SqliteStore) -> Bench:
    return Bench(store)


def test_failures_of_one_commit_are_counted_by_function(bench: Bench) -> None:
    a, b, c, d = bench.start("a", "b", "a", "c")
    assert bench.apply(fail(a), fail(b), fail(c), succeed(d)) == [True] * 4

    assert bench.told() == [("failure", "a", 2), ("failure", "b", 1)]
    assert bench.rings == 1


def test_the_first_failure_is_told_with_its_facts(bench: Bench) -> None:
    a, _ = bench.start("a", "a")
    bench.apply(fail(a, at_us=NOON + 2 * SECOND))
    (alert,) = bench.waiting()

    assert alert.facts == {
        "id": a.id,
        "attempts": 1,
        "duration_us": 2 * SECOND,
        "location": "a.py:3",
        "error": {"code": "ER0003", "type": "ValueError", "message": "no"},
    }


def test_what_the_store_refused_is_not_told(bench: Bench) -> None:
    (a,) = bench.start("a")
    bench.apply(fail(a))

    assert bench.apply(fail(a)) == [False]
    assert bench.told() == [("failure", "a", 1)]


def test_what_is_undone_is_not_told_and_is_when_it_is_done_again(bench: Bench) -> None:
    a, b = bench.start("a", "a")
    bench.undo(fail(a))
    assert bench.told() == []
    bench.apply(fail(a))
    bench.undo(succeed(b))
    assert bench.told() == [("failure", "a", 1)]
    bench.apply(succeed(b))

    assert bench.told() == [("failure", "a", 1), ("recovery", "a", 1)]


def test_a_recovery_is_told_once(bench: Bench) -> None:
    a, b, c, d = bench.start("a", "a", "a", "b")
    bench.apply(fail(a))
    bench.apply(succeed(b), succeed(d))
    bench.apply(succeed(c))
    failure, recovery = bench.waiting()

    assert (failure.kind, recovery.kind, recovery.function) == (AlertKind.FAILURE, AlertKind.RECOVERY, "a")
    assert (recovery.facts["id"], recovery.facts["failures"]) == (b.id, 1)


def test_a_failure_takes_a_recovery_back(bench: Bench) -> None:
    a, b, c = bench.start("a", "a", "a")
    bench.apply(fail(a))
    bench.apply(succeed(b))
    bench.apply(fail(c))

    assert bench.told() == [("failure", "a", 2)]


def test_only_what_succeeds_after_the_last_failure_of_its_commit_is_a_recovery(bench: Bench) -> None:
    a, b, c, d, e, f = bench.start("a", "a", "a", "b", "b", "b")
    bench.apply(fail(a), succeed(d), fail(e))
    bench.apply(succeed(b), fail(c), succeed(f))

    assert bench.told() == [("failure", "a", 2), ("failure", "b", 1), ("recovery", "b", 1)]


def test_a_runner_that_starts_knows_what_fails(bench: Bench) -> None:
    a, b = bench.start("a", "a")
    bench.apply(fail(a))
    Bench(bench.store).apply(succeed(b))

    assert ("recovery", "a", 1) in bench.told()


@pytest.mark.parametrize("name", ["fail", "succeed"])
def test_nobody_is_told_of_muted_functions(name: str, store: SqliteStore) -> None:
    bench = Bench(store, AlertKind.FAILURE, AlertKind.SUCCESS)
    bench.recorder.muted = frozenset({"a"})
    a, b = bench.start("a", "b")
    end = fail if name == "fail" else succeed
    bench.apply(end(a), end(b))

    assert [function for _, function, _ in bench.told()] == ["b"]
    assert bench.store.outbox.failing() == (["b"] if name == "fail" else [])


def test_only_what_was_asked_for_is_told(store: SqliteStore) -> None:
    bench = Bench(store, AlertKind.SUCCESS, AlertKind.RELOAD)
    a, b = bench.start("a", "b")
    bench.apply(fail(a), succeed(b))
    with store.transaction():
        for kind in (AlertKind.RELOAD, AlertKind.MISSED_TICK):
            bench.recorder.add(store, News(kind=kind, function="", first_us=NOON, last_us=NOON))

    assert bench.told() == [("success", "b", 1), ("reload", "", 1)]


def test_a_lone_surrogate_in_an_error_is_told_as_text(bench: Bench) -> None:
    (a,) = bench.start("a")
    failed = fail(a)
    assert failed.error is not None
    bench.apply(structs.replace(failed, error=structs.replace(failed.error, message="\ud800")))
    (alert,) = bench.waiting()

    assert alert.facts["error"]["message"] == "?"
