"""Calls are stored once, as they were asked for."""

from __future__ import annotations

from datetime import timedelta

from defer_cli.domain.enqueue import Refused, Stored
from defer_cli.domain.execution import to_moment
from defer_cli.domain.ids import keyed_id
from defer_cli.domain.states import State
from defer_cli.store.contract import Reader, Store
from tests.store.harness import NOON, SECOND, Clock, apply, call, enqueue, insert, newest, start, succeed


def test_a_call_is_stored_as_created_and_due_now(store: Store, reader: Reader) -> None:
    id = enqueue(store)
    execution = reader.get(id)

    assert execution is not None
    assert (execution.state, execution.scheduled_at, execution.attempt) == (State.CREATED, to_moment(NOON), 0)


def test_an_unknown_id_is_not_found(reader: Reader) -> None:
    assert reader.get("nothing") is None


def test_a_call_answers_with_what_was_stored(store: Store) -> None:
    (stored,) = insert(store, call(id="a" * 26))

    assert stored == Stored("a" * 26, True, "created", 0, NOON, NOON, NOON)


def test_the_same_id_twice_is_one_execution(store: Store, reader: Reader) -> None:
    first = call(arguments=b"[1]")
    insert(store, first)
    (again,) = insert(store, first)

    assert isinstance(again, Stored)
    assert not again.is_new
    assert len(newest(reader, limit=10)) == 1


def test_the_same_id_twice_in_one_batch_is_one_execution(store: Store, reader: Reader) -> None:
    first = call(arguments=b"[1]")
    results = insert(store, first, call(), first)

    assert [isinstance(result, Stored) and result.is_new for result in results] == [True, True, False]
    assert len(newest(reader, limit=10)) == 2


def test_a_resend_answers_with_the_state_it_has_now(store: Store) -> None:
    first = call()
    insert(store, first)
    apply(store, *[succeed(running) for running in start(store)])
    (again,) = insert(store, first)

    assert isinstance(again, Stored)
    assert (again.state, again.attempt) == ("succeed", 1)


def test_a_resend_with_reordered_keys_is_the_same_call(store: Store) -> None:
    insert(store, call(id="x", arguments=b'[{"a":1,"b":2}]'))
    (again,) = insert(store, call(id="x", arguments=b'[{"b":2,"a":1}]'))

    assert isinstance(again, Stored)


def test_the_same_id_with_other_arguments_is_refused(store: Store, reader: Reader) -> None:
    id = keyed_id("compute", "weekly:7")
    insert(store, call(id=id, key="weekly:7", arguments=b"[1]"))
    refused, stored = insert(store, call(id=id, key="weekly:7", arguments=b"[2]"), call())

    assert isinstance(refused, Refused)
    assert "'weekly:7'" in refused.problem
    assert id in refused.problem
    assert isinstance(stored, Stored)
    assert reader.payload(id) == (b"[1]", None, None)


def test_the_same_id_of_another_function_is_refused(store: Store) -> None:
    insert(store, call("compute", id="x"))
    (refused,) = insert(store, call("send_mail", id="x"))

    assert isinstance(refused, Refused)
    assert "compute" in refused.problem
    assert "send_mail" in refused.problem


def test_large_arguments_are_kept_and_compared(store: Store, reader: Reader) -> None:
    large = b'["' + b"x" * 100_000 + b'"]'
    insert(store, call(id="x", arguments=large, metadata={"k": "v"}))
    same, other = insert(store, call(id="x", arguments=large), call(id="x", arguments=large[:-3] + b'y"]'))

    assert reader.payload("x") == (large, None, None)
    assert isinstance(same, Stored)
    assert isinstance(other, Refused)


def test_large_arguments_reach_the_worker(store: Store) -> None:
    large = b'["' + b"x" * 100_000 + b'"]'
    enqueue(store, arguments=large, metadata={"k": "v"})
    (running,) = start(store)

    assert (running.arguments, running.metadata) == (large, b'{"k":"v"}')


def test_no_arguments_are_an_empty_list(store: Store, reader: Reader) -> None:
    assert reader.payload(enqueue(store)) == (b"[]", None, None)


def test_metadata_is_kept(store: Store, reader: Reader) -> None:
    execution = reader.get(enqueue(store, metadata={"team": "a", "run": "7"}))

    assert execution is not None
    assert execution.metadata == {"team": "a", "run": "7"}


def test_a_delay_is_kept(store: Store, reader: Reader) -> None:
    execution = reader.get(enqueue(store, scheduled_us=NOON + SECOND))

    assert execution is not None
    assert execution.scheduled_at == to_moment(NOON) + timedelta(seconds=1)


def test_a_time_that_is_past_means_now(store: Store, reader: Reader) -> None:
    execution = reader.get(enqueue(store, scheduled_us=NOON - SECOND))

    assert execution is not None
    assert execution.scheduled_at == to_moment(NOON)


def test_a_time_beyond_the_calendar_is_its_end(store: Store, reader: Reader) -> None:
    execution = reader.get(enqueue(store, scheduled_us=2**63 + 1, discard_us=2**64 - 1))

    assert execution is not None
    assert execution.scheduled_at.year == 9999


def test_a_call_is_never_younger_than_the_stores_clock(store: Store, clock: Clock, reader: Reader) -> None:
    clock.forward(-10)
    execution = reader.get(enqueue(store))

    assert execution is not None
    assert execution.created_at == to_moment(clock.now_us)


def test_where_a_call_came_from_is_kept(store: Store, reader: Reader) -> None:
    execution = reader.get(enqueue(store, came_from="rerun", rerun_of="x", parent="p", call_hash=b"h"))

    assert execution is not None
    assert (execution.came_from, execution.parent) == ("rerun", "p")


def test_no_calls_are_no_work(store: Store) -> None:
    assert insert(store) == []
