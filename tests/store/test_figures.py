"""What ended, counted by hour; how many a search would list; what filters can be chosen from."""

from __future__ import annotations

import pytest

from defer_cli.domain.history import HOUR_US, KEPT_HOURS, bucket_of
from defer_cli.domain.paging import Filters
from defer_cli.domain.states import State
from defer_cli.store.contract import Limit, Reader, Store
from defer_cli.store.figures import Counted, Failing
from tests.store.harness import (
    NOON,
    SECOND,
    Clock,
    abort,
    aborted,
    apply,
    call,
    cancel,
    claim,
    enqueue,
    fail,
    insert,
    limits,
    newest,
    retry,
    start,
    succeed,
    undone,
)

HOUR = NOON // HOUR_US
BOTH = limits("a", "b")


def _run(store: Store, function: str, *, seconds: float = 1, is_failure: bool = False) -> None:
    """Let one execution run and end."""
    enqueue(store, function)
    (running,) = start(store, limits(function), limit=1)
    end = fail if is_failure else succeed
    apply(store, end(running, at_us=store.now() + int(seconds * SECOND)))


def test_each_end_is_counted_in_its_hour(store: Store, reader: Reader, clock: Clock) -> None:
    _run(store, "a")
    _run(store, "b", is_failure=True)
    clock.forward(3600)
    _run(store, "a")

    assert reader.outcomes(from_hour=HOUR) == {
        (HOUR, State.SUCCEED): 1,
        (HOUR, State.FAILED): 1,
        (HOUR + 1, State.SUCCEED): 1,
    }
    assert reader.outcomes(from_hour=HOUR + 1) == {(HOUR + 1, State.SUCCEED): 1}


def test_what_never_ran_is_counted_too(store: Store, reader: Reader, clock: Clock) -> None:
    cancel(store, enqueue(store, scheduled_us=NOON + SECOND))
    enqueue(store, discard_us=NOON)
    with store.transaction():
        store.discard_due(limit=1)
    insert(store, call(), call())
    claim(store, limits(compute=Limit(1, "cancel")))
    found = reader.activity(from_hour=HOUR)["compute"]

    assert found.ended == {(HOUR, State.CANCELLED): 2, (HOUR, State.DISCARDED): 1}
    assert found.runs == {}


def test_an_abort_is_an_end_without_a_time_of_its_own(store: Store, reader: Reader) -> None:
    id = enqueue(store)
    (running,) = start(store)
    abort(store, id)
    apply(store, aborted(running))
    found = reader.activity(from_hour=HOUR)["compute"]

    assert (found.ended, found.runs) == ({(HOUR, State.ABORTED): 1}, {})


def test_an_attempt_that_did_not_end_its_execution_is_no_end(store: Store, reader: Reader, clock: Clock) -> None:
    enqueue(store)
    apply(store, *(retry(running, scheduled_us=NOON + 5 * SECOND) for running in start(store)))
    before = reader.outcomes(from_hour=HOUR)
    clock.forward(5)
    apply(store, *(succeed(running, at_us=clock.now_us + 2 * SECOND) for running in start(store)))

    assert before == {}
    assert reader.activity(from_hour=HOUR)["compute"].runs == {bucket_of(2 * SECOND): 1}


def test_a_move_that_is_refused_ends_nothing(store: Store, reader: Reader) -> None:
    enqueue(store)
    (running,) = start(store)
    apply(store, succeed(running))

    assert apply(store, fail(running)) == [False]
    assert reader.outcomes(from_hour=HOUR) == {(HOUR, State.SUCCEED): 1}


def test_what_is_undone_is_not_counted(store: Store, reader: Reader) -> None:
    insert(store, call(), call())
    one, other = start(store)
    with undone(store.transaction()):
        store.apply([succeed(one)])
    with store.transaction():
        with undone(store.savepoint()):
            store.apply([succeed(one)])
        store.apply([fail(other)])

    assert reader.outcomes(from_hour=HOUR) == {(HOUR, State.FAILED): 1}


def test_what_was_pruned_has_ended_all_the_same(store: Store, reader: Reader, clock: Clock) -> None:
    _run(store, "a")
    with store.transaction():
        store.prune(before_us=NOON + HOUR_US, from_seq=0, limit=10)

    assert newest(reader, limit=1) == []
    assert reader.outcomes(from_hour=HOUR) == {(HOUR, State.SUCCEED): 1}


def test_ends_of_more_than_31_days_ago_are_forgotten_in_steps(store: Store, reader: Reader, clock: Clock) -> None:
    _run(store, "a")
    _run(store, "b")
    clock.forward(3600)
    _run(store, "a")
    with store.transaction():
        too_early = store.forget_history(limit=10)
    clock.forward(3600 * KEPT_HOURS)
    with store.transaction():
        steps = [store.forget_history(limit=2) for _ in range(3)]

    assert (too_early, steps) == (0, [2, 1, 0])  # one of each function, and one of all together
    assert reader.outcomes(from_hour=0) == {(HOUR + 1, State.SUCCEED): 1}
    assert list(reader.activity(from_hour=0)) == ["a"]


def test_functions_are_listed_by_their_failures(store: Store, reader: Reader, clock: Clock) -> None:
    _run(store, "old", is_failure=True)
    clock.forward(3600)
    for function, failures in (("a", 1), ("b", 3), ("c", 0), ("d", 1)):
        for _ in range(failures):
            _run(store, function, is_failure=True)
        _run(store, function)

    assert reader.failing(from_hour=HOUR + 1, limit=2) == [Failing("b", 3, 4), Failing("a", 1, 2)]
    assert [one.function for one in reader.failing(from_hour=HOUR, limit=9)] == ["b", "a", "d", "old"]


def test_the_activity_of_one_function_is_that_among_all(store: Store, reader: Reader) -> None:
    _run(store, "a", seconds=1)
    _run(store, "a", seconds=60, is_failure=True)
    _run(store, "b")
    found = reader.activity(from_hour=HOUR)

    assert sorted(found) == ["a", "b"]
    assert found["a"].runs == {bucket_of(SECOND): 1, bucket_of(60 * SECOND): 1}
    assert reader.activity(from_hour=HOUR, function="a") == {"a": found["a"]}
    assert reader.activity(from_hour=HOUR, function="c") == {}


@pytest.mark.parametrize(
    "filters",
    [
        Filters(),
        Filters(states=["created"]),
        Filters(functions=["a"]),
        Filters(functions=["a", "c"], states=["succeed", "failed"]),
        Filters(came_from=["call"]),
        Filters(functions=["a", "b"], came_from=["call"]),
        Filters(error_codes=["ER0003"]),
        Filters(metadata={"user": ["1", "2"]}),
        Filters(metadata={"user": ["2"]}, states=["created"]),
        Filters(parent="nobody"),
        Filters(executed_by="a"),
    ],
    ids=[
        "all",
        "state",
        "function",
        "function and state",
        "came from",
        "functions and came from",
        "error code",
        "metadata",
        "metadata and state",
        "parent",
        "runner",
    ],
)
def test_a_count_is_that_of_the_list(store: Store, reader: Reader, filters: Filters) -> None:
    for number in range(300):
        enqueue(store, "ab"[number % 2], metadata={"user": str(number % 3)})
    running = start(store, BOTH, limit=80)
    apply(store, *map(fail, running[:20]), *map(succeed, running[20:50]))
    listed = reader.find(filters, limit=1_000).items

    assert reader.count(filters, most=1_000) == Counted(len(listed), is_more=False)


@pytest.mark.parametrize(("most", "told"), [(4, (4, True)), (5, (5, False)), (6, (5, False))])
def test_a_count_ends_at_its_bound(store: Store, reader: Reader, most: int, told: tuple[int, bool]) -> None:
    insert(store, *(call(metadata={"user": "1"}) for _ in range(5)))

    assert reader.count(Filters(metadata={"user": ["1"]}), most=most) == Counted(*told)
    assert reader.count(Filters(came_from=["call"]), most=most) == Counted(*told)


def test_keys_and_values_of_metadata_are_told_once_each_in_order(store: Store, reader: Reader) -> None:
    for number in range(30):
        enqueue(store, metadata={"user": f"u{number % 4}", "plan": "free"})
    enqueue(store, metadata={"user": "v", "größe": "ü"})

    assert reader.metadata_keys(limit=10) == ["größe", "plan", "user"]
    assert reader.metadata_keys(limit=2) == ["größe", "plan"]
    assert reader.metadata_values("user", limit=10) == ["u0", "u1", "u2", "u3", "v"]
    assert reader.metadata_values("user", prefix="u", limit=3) == ["u0", "u1", "u2"]
    assert reader.metadata_values("user", prefix="u3", limit=10) == ["u3"]
    assert reader.metadata_values("user", prefix="w", limit=10) == []
    assert reader.metadata_values("nobody", limit=10) == []
    assert reader.metadata_values("größe", prefix="ü", limit=10) == ["ü"]


def test_without_metadata_there_is_nothing_to_choose_from(store: Store, reader: Reader) -> None:
    enqueue(store)

    assert (reader.metadata_keys(limit=10), reader.metadata_values("user", limit=10)) == ([], [])
