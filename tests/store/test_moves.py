"""Every move leaves only the states it may leave, and late writers change nothing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from msgspec import structs

from defer_cli.domain.execution import to_moment
from defer_cli.domain.settle import Isolation, Move, Running
from defer_cli.domain.states import MOVES, State
from defer_cli.store.contract import Reader, Store
from tests.store.harness import (
    ERROR,
    NOON,
    SECOND,
    Clock,
    abort,
    aborted,
    apply,
    call,
    cancel,
    enqueue,
    fail,
    insert,
    interrupt,
    reschedule,
    retry,
    start,
    state,
    succeed,
)


def _bring_to(store: Store, clock: Clock, wanted: State) -> Running:
    """Return the last attempt of an execution in the ``wanted`` state; one that never ran has attempt 0."""
    id = enqueue(store, discard_us=NOON + SECOND)
    running = Running(1, id, "compute", 0, 0, NOON)
    if wanted is State.CREATED:
        return running
    if wanted is State.CANCELLED:
        cancel(store, id)
        return running
    if wanted is State.DISCARDED:
        clock.forward(2)
        with store.transaction():
            store.discard_due(limit=1)
        return running
    (running,) = start(store)
    if wanted in (State.ABORTING, State.ABORTED):
        abort(store, id)
    ends = {State.SUCCEED: succeed, State.FAILED: fail, State.ABORTED: aborted}
    if wanted in ends:
        apply(store, ends[wanted](running))
    return running


def _discard(store: Store, running: Running, clock: Clock) -> bool:
    clock.forward(2)
    with store.transaction():
        return bool(store.discard_due(limit=1))


_DO: dict[str, Callable[[Store, Running, Clock], bool]] = {
    "start": lambda store, running, clock: bool(start(store)),
    "succeed": lambda store, running, clock: apply(store, succeed(running))[0],
    "fail": lambda store, running, clock: apply(store, fail(running))[0],
    "retry": lambda store, running, clock: apply(store, retry(running))[0],
    "interrupt": lambda store, running, clock: apply(store, interrupt(running))[0],
    "cancel": lambda store, running, clock: cancel(store, running.id) is not None,
    "discard": _discard,
    "reschedule": lambda store, running, clock: reschedule(store, running.id, NOON + SECOND),
    "abort": lambda store, running, clock: abort(store, running.id) is not None,
    "aborted": lambda store, running, clock: apply(store, aborted(running))[0],
}
_Settle = Callable[[Running], Move]
_TABLE = {transition.name: transition for transition in MOVES if transition.sources}


def test_the_table_of_moves_is_tested_whole() -> None:
    assert set(_DO) == set(_TABLE)


@pytest.mark.parametrize(("name", "source"), list(product(sorted(_TABLE), State)))
def test_a_move_leaves_only_its_sources(store: Store, reader: Reader, clock: Clock, name: str, source: State) -> None:
    running = _bring_to(store, clock, source)
    is_allowed = source in _TABLE[name].sources

    assert _DO[name](store, running, clock) is is_allowed
    assert state(reader, running.id) is (_TABLE[name].target if is_allowed else source)


@pytest.mark.parametrize("late", [succeed, fail, retry, interrupt])
def test_a_worker_that_lost_its_lease_cannot_settle(store: Store, reader: Reader, late: _Settle) -> None:
    enqueue(store)
    (lost,) = start(store)
    apply(store, interrupt(lost))
    (held,) = start(store)

    assert apply(store, late(lost)) == [False]
    assert state(reader, held.id) is State.STARTED


def test_a_late_writer_leaves_no_trace(store: Store, reader: Reader) -> None:
    enqueue(store)
    (running,) = start(store)
    apply(store, succeed(running, result=b"1"))
    before = reader.payload(running.id), reader.attempts(running.id)
    apply(store, retry(running))

    assert (reader.payload(running.id), reader.attempts(running.id)) == before


def test_one_late_writer_in_a_batch_is_refused_alone(store: Store, reader: Reader) -> None:
    insert(store, *[call() for _ in range(5)])
    running = start(store)
    apply(store, fail(running[2]))

    assert apply(store, *[succeed(one, result=b"1") for one in running]) == [True, True, False, True, True]
    assert state(reader, running[2].id) is State.FAILED
    assert [reader.payload(one.id) for one in running[:2]] == [(b"[]", b"1", None)] * 2


def test_moves_of_many_kinds_share_a_batch(store: Store, reader: Reader) -> None:
    insert(store, *[call() for _ in range(5)])
    running = start(store)
    abort(store, running[4].id)
    kinds = [succeed, fail, retry, interrupt, aborted]

    assert apply(store, *[kind(one) for kind, one in zip(kinds, running, strict=True)]) == [True] * 5
    assert [state(reader, one.id) for one in running] == [
        State.SUCCEED,
        State.FAILED,
        State.CREATED,
        State.CREATED,
        State.ABORTED,
    ]


def test_the_first_of_two_outcomes_in_a_batch_wins(store: Store, reader: Reader) -> None:
    enqueue(store)
    (running,) = start(store)

    assert apply(store, fail(running), succeed(running)) == [True, False]
    assert state(reader, running.id) is State.FAILED


def test_no_moves_are_no_work(store: Store) -> None:
    assert apply(store) == []


def test_a_success_keeps_its_result_and_time(store: Store, reader: Reader) -> None:
    enqueue(store)
    (running,) = start(store)
    apply(store, succeed(running, result=b'{"a":1}', at_us=NOON + SECOND))
    execution = reader.get(running.id)

    assert reader.payload(running.id) == (b"[]", b'{"a":1}', None)
    assert execution is not None
    assert execution.finished_at == to_moment(NOON + SECOND)


def test_a_large_result_is_kept(store: Store, reader: Reader) -> None:
    enqueue(store, arguments=b"[1]")
    (running,) = start(store)
    large = b'"' + b"x" * 100_000 + b'"'
    apply(store, succeed(running, result=large))

    assert reader.payload(running.id) == (b"[1]", large, None)
    with store.transaction():
        assert store.results([running.id])[running.id] == ("succeed", large, None)


def test_a_failure_keeps_its_error_and_code(store: Store, reader: Reader) -> None:
    enqueue(store)
    (running,) = start(store)
    apply(store, fail(running))
    execution = reader.get(running.id)

    assert execution is not None
    assert execution.error_code == "ER0003"
    assert reader.attempts(running.id)[0].error == ERROR


def test_an_error_that_is_no_text_is_kept_as_far_as_it_is(store: Store, reader: Reader) -> None:
    enqueue(store)
    (running,) = start(store)
    apply(store, structs.replace(fail(running), error=structs.replace(ERROR, message="a\ud800b\x00")))
    error = reader.attempts(running.id)[0].error

    assert error is not None
    assert error.message == "a?b\x00"


def test_a_retry_counts_as_charged_and_an_interrupt_does_not(store: Store, reader: Reader) -> None:
    insert(store, call(), call())
    first, second = start(store)
    apply(store, retry(first), interrupt(second))
    retried, interrupted = reader.get(first.id), reader.get(second.id)

    assert retried is not None
    assert interrupted is not None
    assert (retried.charged, interrupted.charged) == (1, 0)


def test_a_suspect_is_remembered(store: Store) -> None:
    enqueue(store)
    (running,) = start(store)
    apply(store, interrupt(running, isolation=Isolation.SUSPECT))

    assert start(store, isolated=1)[0].isolation is Isolation.SUSPECT


def test_abort_tells_what_is_running(store: Store) -> None:
    id = enqueue(store, parent="p")
    (running,) = start(store)
    told = abort(store, id)

    assert told is not None
    assert (told.seq, told.attempt, told.is_aborting, told.parent, told.started_us) == (
        running.seq,
        1,
        True,
        "p",
        running.started_us,
    )


def test_discarding_takes_at_most_its_limit(store: Store, clock: Clock) -> None:
    insert(store, *[call(discard_us=NOON + SECOND + number) for number in range(5)])
    clock.forward(2)
    with store.transaction():
        turns = [len(store.discard_due(limit=3)) for _ in range(3)]

    assert turns == [3, 2, 0]


def test_the_next_discard_is_of_what_never_started(store: Store) -> None:
    insert(store, call(discard_us=NOON + SECOND), call(discard_us=NOON + 2 * SECOND), call())
    before = store.next_discard_us()
    start(store, limit=1)

    assert (before, store.next_discard_us()) == (NOON + SECOND, NOON + 2 * SECOND)


def test_results_are_told_of_those_that_have_ended(store: Store) -> None:
    insert(store, *[call(id=id) for id in ("done", "failed", "running", "waiting")])
    done, failed, _ = start(store, limit=3)
    apply(store, succeed(done, result=b"7"), fail(failed))
    results = store.results(["done", "failed", "running", "waiting", "unknown"])

    assert set(results) == {"done", "failed"}
    assert results["done"] == ("succeed", b"7", None)
    assert results["failed"][0] == "failed"
    assert b"ValueError" in (results["failed"][2] or b"")


def test_the_place_of_an_execution_is_its_function_and_state(store: Store) -> None:
    id = enqueue(store)

    assert store.place(id) == ("compute", "created")
    assert store.place("unknown") is None
