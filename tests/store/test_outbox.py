"""Alerts on their way: gathered, taken once, sent again as they were, given up, forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from defer_cli.domain.alert import Alert, AlertKind, AlertState, Grouping, News, Undelivered
from defer_cli.store.contract import Reader, Store
from tests.store.harness import NOON, SECOND, Clock, undone

MINUTE = 60 * SECOND
GROUPING = Grouping()


def news(function: str = "compute", *, at: float = 0, kind: AlertKind = AlertKind.FAILURE, **fields: Any) -> News:
    at_us = NOON + int(at * SECOND)
    return News(kind=kind, function=function, first_us=at_us, last_us=at_us, **{"facts": {"at": at}} | fields)


def add(store: Store, *some: News, channels: Sequence[str] = ("slack",), grouping: Grouping = GROUPING) -> None:
    with store.transaction():
        store.outbox.add(some, channels=channels, grouping=grouping)


def due(store: Store, *, at: float = 3_600, channel: str = "slack", limit: int = 100) -> list[Alert]:
    return store.outbox.due(channel, now_us=NOON + int(at * SECOND), limit=limit)


def begin(store: Store, alerts: Sequence[Alert], message: str = "m1", *, at: float = 0) -> None:
    with store.transaction():
        store.outbox.begin(alerts, message=message, at_us=NOON + int(at * SECOND))


def sent(store: Store, message: str = "m1", *, at: float = 0) -> None:
    with store.transaction():
        store.outbox.sent(message, at_us=NOON + int(at * SECOND))


def put_off(store: Store, message: str = "m1", *, until: float) -> None:
    with store.transaction():
        store.outbox.put_off(message, until_us=NOON + int(until * SECOND), problem="it answered 500")


def give_up(store: Store, message: str = "m1", *, at: float = 0) -> None:
    with store.transaction():
        store.outbox.give_up(message, at_us=NOON + int(at * SECOND), problem="it answered 404")


def next_at(store: Store, channel: str = "slack") -> float | None:
    next_us = store.outbox.next_us(channel)
    return None if next_us is None else (next_us - NOON) / SECOND


def test_news_of_one_kind_and_function_is_gathered_until_it_is_quiet(store: Store) -> None:
    add(store, news(at=0, count=2))
    add(store, news(at=3), news("other", at=3), news(kind=AlertKind.SUCCESS, at=3))

    assert next_at(store) == 8
    assert due(store, at=7.9) == []
    assert [(one.function, one.kind, one.count) for one in due(store, at=8)] == [
        ("compute", "failure", 3),
        ("other", "failure", 1),
        ("compute", "success", 1),
    ]


def test_what_is_gathered_keeps_its_first_facts_and_its_span(store: Store) -> None:
    add(store, news(at=0))
    add(store, news(at=3))
    (alert,) = due(store)

    assert (alert.facts, alert.first_us, alert.last_us) == ({"at": 0}, NOON, NOON + 3 * SECOND)
    assert (alert.state, alert.attempts, alert.message) == (AlertState.WAITING, 0, None)


def test_each_channel_has_its_own(store: Store) -> None:
    add(store, news(), channels=["slack", "webhook"])
    begin(store, due(store))
    sent(store)

    assert due(store) == []
    assert [one.function for one in due(store, channel="webhook")] == ["compute"]


def test_what_is_going_out_takes_in_nothing_more(store: Store) -> None:
    add(store, news(at=0))
    begin(store, due(store))
    add(store, news(at=1))
    assert due(store) == []  # it waits for the one before
    assert next_at(store) is None
    sent(store, at=2)
    (later,) = due(store)

    assert (later.count, later.facts) == (1, {"at": 1})


def test_the_next_message_about_the_same_waits_for_a_window_after_the_last(store: Store) -> None:
    add(store, news(at=0))
    begin(store, due(store))
    sent(store, at=5)
    add(store, news(at=7))

    assert next_at(store) == 65


def test_messages_about_others_do_not_wait_for_it(store: Store) -> None:
    add(store, news(at=0))
    begin(store, due(store))
    sent(store, at=5)
    add(store, news("other", at=7))

    assert next_at(store) == 12


def test_what_did_not_arrive_goes_again_as_it_was(store: Store) -> None:
    add(store, news("a"), news("b"), news("c"))
    begin(store, due(store)[:2])
    put_off(store, until=10)
    assert [one.function for one in due(store, at=9)] == ["c"]
    add(store, news("a", at=9))
    again = due(store, at=10)

    assert [(one.function, one.count, one.attempts, one.message, one.state) for one in again] == [
        ("a", 1, 1, "m1", "again"),
        ("b", 1, 1, "m1", "again"),
    ]
    begin(store, again, at=10)
    sent(store)
    assert [one.function for one in due(store)] == ["c", "a"]


def test_the_first_try_is_remembered(store: Store) -> None:
    add(store, news())
    begin(store, due(store), at=1)
    put_off(store, until=10)
    begin(store, due(store), at=10)
    put_off(store, until=20)
    (again,) = due(store)

    assert (again.begun_us, again.attempts) == (NOON + SECOND, 2)


def test_what_was_given_up_is_not_sent_and_is_told(store: Store, reader: Reader) -> None:
    add(store, news("a"), news("b"))
    a, b = due(store)
    begin(store, [a], "m1")
    begin(store, [b], "m2")
    give_up(store, "m1", at=1)
    put_off(store, "m2", until=60)
    told = reader.undelivered(since_us=NOON)

    assert due(store, at=59) == []
    assert told == Undelivered(waiting=1, oldest_us=NOON, given_up=1, problem="it answered 500")
    assert reader.undelivered(since_us=NOON + MINUTE).given_up == 0


def test_nothing_is_undelivered_where_all_was_sent(store: Store, reader: Reader) -> None:
    assert reader.undelivered(since_us=0) == Undelivered()
    add(store, news())
    begin(store, due(store))
    put_off(store, until=1)
    begin(store, due(store))
    sent(store)

    assert reader.undelivered(since_us=0) == Undelivered()


def test_what_was_going_out_when_a_runner_ended_is_found(store: Store) -> None:
    add(store, news("a"), news("b"), news("c"))
    a, b, c = due(store)
    begin(store, [a, b], "m1")
    begin(store, [c], "m2")
    sent(store, "m2")

    assert store.outbox.interrupted("slack") == ["m1"]
    assert store.outbox.interrupted("webhook") == []


def test_a_failing_function_recovers_once(store: Store) -> None:
    with store.transaction():
        store.outbox.fail({"a": 2, "b": 1}, at_us=NOON)
        store.outbox.fail({"a": 1}, at_us=NOON + SECOND)
    assert store.outbox.failing() == ["a", "b"]
    with store.transaction():
        assert store.outbox.recover("a") == (NOON, 3)
        assert store.outbox.recover("a") is None
        assert store.outbox.recover("c") is None

    assert store.outbox.failing() == ["b"]


def test_a_recovery_that_was_not_told_is_taken_back_by_a_failure(store: Store) -> None:
    with store.transaction():
        store.outbox.fail({"a": 1}, at_us=NOON)
        store.outbox.recover("a")
    add(store, news("a", kind=AlertKind.RECOVERY), news("b", kind=AlertKind.RECOVERY), channels=["slack", "webhook"])
    with store.transaction():
        store.outbox.fail({"a": 1}, at_us=NOON + SECOND)

    assert [one.function for one in due(store)] == ["b"]
    assert [one.function for one in due(store, channel="webhook")] == ["b"]
    assert store.outbox.failing() == ["a"]
    with store.transaction():
        assert store.outbox.recover("a") == (NOON, 2)


def test_what_has_been_told_to_be_over_begins_anew(store: Store) -> None:
    with store.transaction():
        store.outbox.fail({"a": 5}, at_us=NOON)
        store.outbox.recover("a")
    add(store, news("a", kind=AlertKind.RECOVERY))
    begin(store, due(store))
    with store.transaction():
        store.outbox.fail({"a": 1}, at_us=NOON + MINUTE)
        assert store.outbox.recover("a") == (NOON + MINUTE, 1)


def test_a_transaction_that_is_undone_leaves_nothing(store: Store) -> None:
    with undone(store.transaction()):
        store.outbox.fail({"a": 1}, at_us=NOON)
        store.outbox.add([news("a")], channels=["slack"], grouping=GROUPING)

    assert store.outbox.failing() == []
    assert due(store) == []


def test_what_is_old_is_forgotten(store: Store) -> None:
    add(store, news("a", at=0), news("b", at=10), news("c", at=10))
    a, b, _ = due(store)
    begin(store, [a], "m1")
    sent(store, "m1", at=5)
    begin(store, [b], "m2")
    sent(store, "m2", at=15)
    with store.transaction():
        store.outbox.forget(before_us=NOON + 10 * SECOND)
    add(store, news("a", at=20), news("b", at=20))

    assert next_at(store) == 15
    assert [one.function for one in due(store, at=25)] == ["c", "a"]  # nothing remembers when a was told last


def test_a_flood_is_one_row(store: Store, clock: Clock) -> None:
    for commit in range(600):
        add(store, news(at=commit / 10, count=17), grouping=Grouping(window=timedelta(minutes=1)))
    (alert,) = due(store, at=60)

    assert alert.count == 10_200
