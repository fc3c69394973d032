"""What is to be run isolated is claimed from a queue of its own, under the limits of its functions."""

from __future__ import annotations

from defer_cli.domain.settle import Isolation, Running
from defer_cli.store.contract import Limit, Reader, Store
from tests.store.harness import (
    NOON,
    SECOND,
    Clock,
    Engine,
    apply,
    cancel,
    claim,
    enqueue,
    ids,
    interrupt,
    limits,
    retry,
    start,
    succeed,
)


def isolate(store: Store, *functions: str) -> list[str]:
    """Make an execution of each function that is to be run isolated; return their ids."""
    made = [enqueue(store, function) for function in functions]
    began = start(store, limits(*functions))
    apply(store, *[interrupt(running, isolation=Isolation.SUSPECT) for running in began])
    return made


def test_it_waits_for_a_place_of_its_own(store: Store) -> None:
    isolate(store, "compute")

    assert start(store) == []


def test_a_claim_takes_as_many_as_there_are_places(store: Store) -> None:
    made = isolate(store, "compute", "compute", "compute")
    taken = claim(store, limit=0, isolated=2)

    assert (ids(taken.started), taken.isolated) == (made[:2], 2)


def test_it_takes_no_slot_of_the_others(store: Store) -> None:
    (isolated,) = isolate(store, "compute")
    others = [enqueue(store), enqueue(store), enqueue(store)]

    assert ids(start(store, limit=2, isolated=1)) == [isolated, *others[:2]]


def test_it_is_claimed_only_when_it_is_due(store: Store, clock: Clock) -> None:
    enqueue(store)
    (running,) = start(store)
    apply(store, retry(running, isolation=Isolation.KILLER, scheduled_us=NOON + SECOND))
    early = claim(store, isolated=1)
    clock.forward(1)

    assert (early.started, early.next_due_us) == ([], NOON + SECOND)
    assert [one.isolation for one in start(store, isolated=1)] == [Isolation.KILLER]


def test_it_keeps_to_the_limit_of_its_function(store: Store) -> None:
    isolate(store, "compute", "compute", "compute")

    assert len(start(store, limits(compute=2), isolated=3)) == 2
    assert start(store, limits(compute=2), isolated=3) == []


def test_those_of_a_full_function_hold_up_no_other(store: Store) -> None:
    _, _, free = isolate(store, "compute", "compute", "mail")
    held = limits("mail", compute=1)
    start(store, held, isolated=1)

    assert ids(start(store, held, isolated=2)) == [free]


def test_those_of_an_unknown_function_hold_up_no_other(store: Store) -> None:
    _, free = isolate(store, "gone", "mail")

    assert ids(start(store, limits("mail"), isolated=1)) == [free]


def test_it_counts_among_what_runs_of_its_function(store: Store) -> None:
    isolate(store, "compute")
    start(store, limits(compute=1), isolated=1)
    enqueue(store)

    assert start(store, limits(compute=1), isolated=1) == []


def test_what_runs_one_at_a_time_waits_for_it(store: Store) -> None:
    (first,) = isolate(store, "compute")
    second = enqueue(store)
    one_at_a_time = limits(compute=1)

    assert start(store, one_at_a_time) == []
    (running,) = start(store, one_at_a_time, isolated=1)
    apply(store, succeed(running))
    assert (running.id, ids(start(store, one_at_a_time))) == (first, [second])


def test_what_runs_one_at_a_time_goes_on_when_it_is_cancelled(store: Store) -> None:
    (first,) = isolate(store, "compute")
    second = enqueue(store)
    one_at_a_time = limits(compute=1)
    start(store, one_at_a_time)
    cancel(store, first)

    assert ids(start(store, one_at_a_time)) == [second]


def test_what_runs_one_at_a_time_does_not_wait_for_a_retry(store: Store) -> None:
    enqueue(store)
    second = enqueue(store)
    one_at_a_time = limits(compute=1)
    (running,) = start(store, one_at_a_time)
    apply(store, retry(running, isolation=Isolation.KILLER))

    assert ids(start(store, one_at_a_time)) == [second]


def test_what_runs_two_at_a_time_does_not_wait_for_it(store: Store) -> None:
    isolate(store, "compute")
    second = enqueue(store)

    assert ids(start(store, limits(compute=2))) == [second]


def test_at_its_limit_only_what_never_started_is_cancelled(store: Store) -> None:
    (isolated,) = isolate(store, "compute")
    running = enqueue(store)
    waiting = enqueue(store)
    taken = claim(store, {"compute": Limit(1, "cancel")}, isolated=1)

    assert ids(taken.started) == [isolated]
    assert ids(taken.ended) == [running, waiting]


def test_at_its_limit_what_never_started_is_cancelled_though_another_isolated_one_is_ahead(store: Store) -> None:
    first, _ = isolate(store, "compute", "compute")
    waiting = enqueue(store)
    taken = claim(store, {"compute": Limit(1, "cancel")}, isolated=1)

    assert (ids(taken.started), ids(taken.ended)) == ([first], [waiting])


def test_what_waits_isolated_is_counted_with_the_rest(store: Store, reader: Reader, clock: Clock) -> None:
    isolate(store, "compute")
    enqueue(store)
    (other,) = start(store)
    apply(store, retry(other, isolation=Isolation.KILLER))
    enqueue(store)
    waiting = reader.count_waiting(now_us=NOON, limit=100)["compute"]

    assert reader.count_due(now_us=NOON) == 2
    assert (waiting.due, waiting.later) == (2, 1)
    assert reader.count_waiting_retries() == 1
    assert reader.count_coming_retries(now_us=NOON, limit=1) == 1
    assert reader.oldest_due_us(now_us=NOON) == NOON


def test_a_clock_that_was_ahead_is_put_right_for_it(store: Store, clock: Clock) -> None:
    isolate(store, "compute")
    clock.forward(-10)
    with store.transaction():
        moved = store.step_back(limit=10)

    assert moved == 1
    assert len(start(store, isolated=1)) == 1


def test_who_was_cleared_waits_with_the_others(store: Store) -> None:
    enqueue(store)
    (running,) = start(store)
    apply(store, interrupt(running, isolation=Isolation.CLEARED))

    assert [one.isolation for one in start(store)] == [Isolation.CLEARED]


def test_a_new_owner_still_knows_it(engine: Engine, clock: Clock) -> None:
    store = engine.open(clock)
    made = isolate(store, "compute")
    store.close()
    store = engine.open(clock)
    started: list[Running] = start(store, isolated=1)
    store.close()

    assert ids(started) == made
