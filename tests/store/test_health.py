"""What tells whether a store is well: since when something is due, which retries come, which runner was the last."""

from __future__ import annotations

from defer_cli.store.contract import Reader, RunnerRecord, Store
from tests.store.harness import NOON, SECOND, Clock, apply, enqueue, limits, retry, start


def test_what_is_due_longest_is_found_over_all_functions(store: Store, reader: Reader, clock: Clock) -> None:
    enqueue(store, "a", scheduled_us=NOON + 30 * SECOND)
    enqueue(store, "b", scheduled_us=NOON + 20 * SECOND)
    enqueue(store, "c", scheduled_us=NOON + 90 * SECOND)

    assert reader.oldest_due_us(now_us=NOON) is None
    assert reader.oldest_due_us(now_us=NOON + 60 * SECOND) == NOON + 20 * SECOND


def test_retries_are_counted_among_what_is_due_next(store: Store, reader: Reader) -> None:
    enqueue(store, "a")
    enqueue(store, "b")
    apply(store, *map(retry, start(store, limits("a", "b"))))
    enqueue(store, "a", scheduled_us=NOON + 3600 * SECOND)

    assert reader.count_coming_retries(now_us=NOON, limit=10) == 2
    assert reader.count_coming_retries(now_us=NOON + SECOND, limit=10) == 0


def test_a_retry_behind_what_is_looked_at_is_not_counted(store: Store, reader: Reader) -> None:
    enqueue(store)
    apply(store, *(retry(running, scheduled_us=NOON + 60 * SECOND) for running in start(store)))
    enqueue(store, scheduled_us=NOON + SECOND)

    assert [reader.count_coming_retries(now_us=NOON, limit=limit) for limit in (1, 2)] == [0, 1]


def test_the_runner_that_started_last_is_told(store: Store, reader: Reader, clock: Clock) -> None:
    assert reader.last_runner() is None
    for name, pid in (("a", 1), ("b", 2)):
        with store.transaction():
            store.start_runner(name=name, pid=pid, version="1.0")
    assert reader.last_runner() == RunnerRecord("b", 2, "1.0", NOON, None)
    clock.forward(5)
    with store.transaction():
        store.stop_runner(name="b")

    assert reader.last_runner() == RunnerRecord("b", 2, "1.0", NOON, NOON + 5 * SECOND)


def test_a_store_knows_its_schema(reader: Reader) -> None:
    assert reader.schema_version() >= 1
