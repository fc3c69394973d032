"""Never more of a function at once than its limit, and what becomes of the others."""

from __future__ import annotations

from defer_cli.domain.states import State
from defer_cli.store.contract import Limit, Reader, Store
from tests.store.harness import (
    NOON,
    SECOND,
    Clock,
    abort,
    aborted,
    apply,
    call,
    claim,
    enqueue,
    ids,
    insert,
    interrupt,
    limits,
    retry,
    start,
    state,
    succeed,
)

CANCEL_AT_1 = Limit(1, "cancel")


def test_a_claim_stops_at_the_limit(store: Store) -> None:
    calls = [call() for _ in range(5)]
    insert(store, *calls)

    assert ids(start(store, limits(compute=2))) == ids(calls[:2])
    assert start(store, limits(compute=2)) == []


def test_two_claims_of_one_transaction_share_the_limit(store: Store) -> None:
    insert(store, *[call() for _ in range(5)])
    with store.transaction():
        first = store.claim(limit=10, runner="a", functions=limits(compute=3)).started
        second = store.claim(limit=10, runner="b", functions=limits(compute=3)).started

    assert (len(first), len(second)) == (3, 0)


def test_a_place_is_taken_by_the_next_when_one_ends(store: Store) -> None:
    calls = [call() for _ in range(3)]
    insert(store, *calls)
    (first,) = start(store, limits(compute=1))
    apply(store, succeed(first))

    assert ids(start(store, limits(compute=1))) == [calls[1].id]


def test_a_limit_of_one_is_a_strict_queue_also_after_an_interrupt(store: Store) -> None:
    calls = [call() for _ in range(3)]
    insert(store, *calls)
    (first,) = start(store, limits(compute=1))
    apply(store, interrupt(first))

    assert ids(start(store, limits(compute=1))) == [calls[0].id]


def test_aborting_executions_hold_their_place(store: Store) -> None:
    insert(store, call(), call())
    (first,) = start(store, limits(compute=1))
    running = abort(store, first.id)
    assert running is not None
    held = start(store, limits(compute=1))
    apply(store, aborted(running))

    assert held == []
    assert len(start(store, limits(compute=1))) == 1


def test_a_function_at_its_limit_holds_up_no_other(store: Store) -> None:
    insert(store, *[call("slow") for _ in range(20)])
    fast = [call("fast") for _ in range(20)]
    insert(store, *fast)
    taken = start(store, limits("fast", slow=1), limit=21)

    assert ids(taken)[1:] == ids(fast)


def test_free_slots_are_not_filled_beyond_the_limit_by_interleaved_calls(store: Store) -> None:
    insert(store, *[call("ab"[number % 2]) for number in range(40)])
    taken = start(store, limits("b", a=3), limit=40)

    assert [running.function for running in taken].count("a") == 3
    assert len(taken) == 23


def test_a_raised_limit_lets_more_start(store: Store) -> None:
    insert(store, *[call() for _ in range(5)])
    start(store, limits(compute=1))

    assert len(start(store, limits(compute=3))) == 2
    assert len(start(store, limits("compute"))) == 2


def test_a_lowered_limit_is_kept_until_enough_have_ended(store: Store) -> None:
    insert(store, *[call() for _ in range(5)])
    first, second = start(store, limits(compute=2))
    apply(store, succeed(first))
    still_held = start(store, limits(compute=1))
    apply(store, succeed(second))

    assert still_held == []
    assert len(start(store, limits(compute=1))) == 1


def test_expired_calls_take_no_place(store: Store, clock: Clock) -> None:
    insert(store, *[call(discard_us=NOON + SECOND) for _ in range(3)])
    id = enqueue(store)
    clock.forward(1)
    taken = claim(store, limits(compute=1))

    assert ids(taken.started) == [id]
    assert len(taken.ended) == 3


def test_at_the_limit_the_action_cancels_what_waits(store: Store, reader: Reader) -> None:
    calls = [call() for _ in range(4)]
    insert(store, *calls)
    taken = claim(store, limits(compute=CANCEL_AT_1))

    assert ids(taken.started) == [calls[0].id]
    assert [(ending.id, ending.state) for ending in taken.ended] == [(one.id, State.CANCELLED) for one in calls[1:]]
    assert state(reader, calls[1].id) is State.CANCELLED


def test_what_comes_while_the_limit_is_held_is_cancelled_at_the_next_claim(store: Store) -> None:
    enqueue(store)
    claim(store, limits(compute=CANCEL_AT_1))
    id = enqueue(store)

    assert ids(claim(store, limits(compute=CANCEL_AT_1)).ended) == [id]


def test_what_becomes_due_while_the_limit_is_held_is_cancelled(store: Store, clock: Clock) -> None:
    enqueue(store)
    id = enqueue(store, scheduled_us=NOON + SECOND)
    first = claim(store, limits(compute=CANCEL_AT_1))
    clock.forward(1)

    assert (first.ended, first.next_due_us) == ([], NOON + SECOND)
    assert ids(claim(store, limits(compute=CANCEL_AT_1)).ended) == [id]


def test_retries_and_interrupted_ones_are_not_cancelled_at_the_limit(store: Store) -> None:
    insert(store, *[call() for _ in range(3)])
    first, second, third = start(store, limits(compute=3))
    apply(store, interrupt(first), retry(second, scheduled_us=NOON))
    taken = claim(store, limits(compute=CANCEL_AT_1))
    apply(store, succeed(third))

    assert (taken.started, taken.ended) == ([], [])
    assert ids(start(store, limits(compute=CANCEL_AT_1))) == [first.id]


def test_having_no_free_slot_is_not_the_limit(store: Store) -> None:
    insert(store, *[call() for _ in range(3)])
    taken = claim(store, limits(compute=Limit(2, "cancel")), limit=1)

    assert (len(taken.started), taken.ended) == (1, [])


def test_a_claim_cancels_at_most_a_thousand_and_comes_back_for_the_rest(store: Store) -> None:
    claim(store, limits(compute=CANCEL_AT_1))
    insert(store, *[call() for _ in range(1_501)])
    first = claim(store, limits(compute=CANCEL_AT_1))
    second = claim(store, limits(compute=CANCEL_AT_1))

    assert (len(first.ended), first.next_due_us) == (1_000, NOON)
    assert (len(second.ended), second.next_due_us) == (500, None)


def test_after_the_limit_was_held_the_next_call_starts(store: Store) -> None:
    insert(store, call(), call())
    (running,) = start(store, limits(compute=CANCEL_AT_1))
    apply(store, succeed(running))
    id = enqueue(store)

    assert ids(start(store, limits(compute=CANCEL_AT_1))) == [id]


def test_a_raised_limit_starts_the_interrupted_ones_that_the_action_left_waiting(store: Store) -> None:
    insert(store, call(), call())
    first, _ = start(store, limits(compute=2))
    apply(store, interrupt(first))
    claim(store, limits(compute=CANCEL_AT_1))

    assert ids(start(store, limits(compute=Limit(2, "cancel")))) == [first.id]


def test_what_is_started_in_several_looks_is_told_in_order(store: Store, clock: Clock) -> None:
    insert(store, call("a", discard_us=NOON + SECOND))
    wanted = [call("a"), call("b")]
    insert(store, *wanted)
    clock.forward(1)

    assert ids(start(store, limits("b", a=1), limit=2)) == ids(wanted)
