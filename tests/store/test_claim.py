"""What is due is started in the order of the queue, whichever function it is of."""

from __future__ import annotations

from defer_cli.domain.states import State
from defer_cli.store.contract import Reader, Store
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
    reschedule,
    retry,
    start,
    state,
    succeed,
)


def test_a_claim_starts_what_is_due(store: Store, reader: Reader) -> None:
    id = enqueue(store, arguments=b"[1]", parent="p", metadata={"k": "v"})
    (running,) = start(store)

    assert (running.id, running.attempt, running.started_us) == (id, 1, NOON)
    assert (running.arguments, running.metadata, running.parent) == (b"[1]", b'{"k":"v"}', "p")
    assert state(reader, id) is State.STARTED


def test_nothing_is_claimed_twice(store: Store) -> None:
    enqueue(store)
    start(store)

    assert start(store) == []


def test_a_claim_takes_no_more_than_asked(store: Store) -> None:
    first, second, third = (enqueue(store) for _ in range(3))

    assert ids(start(store, limit=2)) == [first, second]
    assert ids(start(store, limit=2)) == [third]


def test_a_claim_of_nothing_tells_when_the_next_is_due(store: Store) -> None:
    enqueue(store, scheduled_us=NOON + 5 * SECOND)
    enqueue(store, scheduled_us=NOON + 3 * SECOND)
    taken = claim(store)

    assert taken.started == []
    assert taken.next_due_us == NOON + 3 * SECOND


def test_a_claim_that_leaves_nothing_knows_of_nothing_due(store: Store) -> None:
    enqueue(store)

    assert claim(store).next_due_us is None


def test_the_next_due_is_told_beside_what_was_started(store: Store) -> None:
    enqueue(store)
    enqueue(store, scheduled_us=NOON + SECOND)

    assert claim(store).next_due_us == NOON + SECOND


def test_a_delayed_call_starts_when_it_is_due(store: Store, clock: Clock) -> None:
    id = enqueue(store, scheduled_us=NOON + SECOND)
    before = start(store)
    clock.forward(1)

    assert before == []
    assert ids(start(store)) == [id]


def test_calls_of_one_moment_start_in_the_order_they_came(store: Store) -> None:
    calls = [call(arguments=b"[%d]" % number) for number in range(50)]
    insert(store, *calls)

    assert ids(start(store, limit=50)) == ids(calls)


def test_what_was_scheduled_earlier_starts_first(store: Store, clock: Clock) -> None:
    late = enqueue(store, scheduled_us=NOON + 2 * SECOND)
    early = enqueue(store, scheduled_us=NOON + SECOND)
    clock.forward(2)

    assert ids(start(store)) == [early, late]


def test_functions_share_one_queue(store: Store) -> None:
    calls = [call(f"f{number * 7 % 5}") for number in range(100)]
    insert(store, *calls)
    names = limits(*(f"f{number}" for number in range(5)))

    assert ids(start(store, names, limit=60)) == ids(calls[:60])
    assert ids(start(store, names, limit=60)) == ids(calls[60:])


def test_long_runs_of_one_function_do_not_overtake_another(store: Store) -> None:
    calls = [call("a" if number % 40 < 30 else "b") for number in range(200)]
    insert(store, *calls)

    assert ids(start(store, limits("a", "b"), limit=200)) == ids(calls)


def test_a_retry_waits_without_blocking_those_behind_it(store: Store) -> None:
    enqueue(store)
    second = enqueue(store)
    (first,) = start(store, limit=1)
    apply(store, retry(first))

    assert ids(start(store)) == [second]


def test_a_retry_starts_again_under_the_next_attempt(store: Store, clock: Clock) -> None:
    enqueue(store)
    (first,) = start(store)
    apply(store, retry(first))
    clock.forward(1)
    (again,) = start(store)

    assert (again.id, again.attempt, again.charged) == (first.id, 2, 1)


def test_an_interrupted_execution_keeps_its_place(store: Store, clock: Clock) -> None:
    first = enqueue(store)
    (running,) = start(store)
    clock.forward(1)
    second = enqueue(store)
    apply(store, interrupt(running))

    assert ids(start(store)) == [first, second]


def test_a_function_that_is_gone_keeps_its_calls_and_holds_up_nobody(store: Store, reader: Reader) -> None:
    gone = enqueue(store, "gone")
    id = enqueue(store)

    assert ids(start(store)) == [id]
    assert state(reader, gone) is State.CREATED


def test_a_function_that_comes_back_is_claimed(store: Store) -> None:
    gone = enqueue(store, "gone")
    start(store)

    assert ids(start(store, limits("gone", "compute"))) == [gone]


def test_calls_of_a_gone_function_are_not_waited_for(store: Store) -> None:
    enqueue(store, "gone", scheduled_us=NOON + SECOND)
    start(store, limits("compute"))
    enqueue(store, "gone")

    assert claim(store).started == []


def test_what_was_cancelled_is_not_started(store: Store) -> None:
    cancelled, other = enqueue(store), enqueue(store)
    cancel(store, cancelled)

    assert ids(start(store)) == [other]


def test_what_was_rescheduled_to_now_starts(store: Store) -> None:
    id = enqueue(store, scheduled_us=NOON + 100 * SECOND)
    claim(store)
    reschedule(store, id, 0)

    assert ids(start(store)) == [id]


def test_what_was_rescheduled_ahead_waits(store: Store, clock: Clock) -> None:
    id = enqueue(store)
    reschedule(store, id, NOON + SECOND)
    before = claim(store)
    clock.forward(1)

    assert (before.started, before.next_due_us) == ([], NOON + SECOND)
    assert ids(start(store)) == [id]


def test_what_was_not_started_in_time_is_discarded_instead(store: Store, clock: Clock, reader: Reader) -> None:
    late, good = enqueue(store, discard_us=NOON + SECOND), enqueue(store)
    clock.forward(1)
    taken = claim(store, limit=1)

    assert ids(taken.started) == [good]
    assert [(ending.id, ending.state) for ending in taken.ended] == [(late, State.DISCARDED)]
    assert state(reader, late) is State.DISCARDED


def test_what_has_been_started_once_is_never_discarded(store: Store, clock: Clock) -> None:
    id = enqueue(store, discard_us=NOON + SECOND)
    (running,) = start(store)
    apply(store, interrupt(running))
    clock.forward(2)

    assert ids(start(store)) == [id]


def test_a_call_stored_in_the_same_transaction_is_claimed(store: Store) -> None:
    with store.transaction():
        store.insert([call(id="x")])
        taken = store.claim(limit=1, runner="a", functions=limits())

    assert ids(taken.started) == ["x"]


def test_many_more_than_one_look_are_claimed_at_once(store: Store) -> None:
    calls = [call() for _ in range(2_500)]
    insert(store, *calls)

    assert ids(start(store, limit=2_500)) == ids(calls)


def test_a_queue_emptied_by_ends_is_filled_again(store: Store) -> None:
    enqueue(store)
    apply(store, *[succeed(running) for running in start(store)])
    claim(store)
    id = enqueue(store)

    assert ids(start(store)) == [id]
