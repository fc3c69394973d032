"""The route over HTTP behaves like a connection: its order, its losses, and waits that share requests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from defer_cli.client import http_waits
from defer_cli.client.http_route import HttpRoute
from defer_cli.client.http_session import Reply
from defer_cli.client.routes import ConnectionLost, Unreached
from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.errors import SettingError, StoreError
from defer_cli.link.frames import Ask, Ended, Enqueued, Enqueues, Unwait, Wait
from tests.unit.client.fake_api import DEADLINE_SECONDS, Asked, FakeApi, ends, refusal, store

ID = "01m8argyvwe8ht55xgrrcypejy"


class Replies:
    """Takes what a route answers, by number."""

    def __init__(self) -> None:
        self.by_number: dict[int, Any] = {}
        self._changed = threading.Condition()

    def take(self, number: int) -> Callable[[Any], None]:
        def on_reply(told: Any) -> None:
            with self._changed:
                self.by_number[number] = told
                self._changed.notify_all()

        return on_reply

    def of(self, number: int) -> Any:
        with self._changed:
            assert self._changed.wait_for(lambda: number in self.by_number, DEADLINE_SECONDS), f"no reply to {number}"
        return self.by_number[number]


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def route(api: FakeApi) -> Iterator[HttpRoute]:
    route = HttpRoute(api)
    yield route
    route.lost(ConnectionLost("the test is over"))


@pytest.fixture
def replies() -> Replies:
    return Replies()


def enqueue(route: HttpRoute, replies: Replies, number: int, id: str = ID) -> None:
    route.request(lambda drawn: Enqueues(drawn, [Enqueue(id, "compute", b"[]", 1)]), replies.take(number))


def ask(route: HttpRoute, replies: Replies, number: int, id: str = ID) -> None:
    route.request(lambda drawn: Ask(drawn, "execution", {"id": id}), replies.take(number))


def wait(route: HttpRoute, replies: Replies, number: int, id: str = ID) -> int:
    return route.request(lambda drawn: Wait(drawn, id), replies.take(number))


class Gate:
    """Holds answers back until it is opened."""

    def __init__(self, end: str, then: Callable[[Asked], Reply] = store) -> None:
        self._end = end
        self._then = then
        self._is_open = threading.Event()

    def __call__(self, asked: Asked) -> Reply:
        if asked.path.endswith(self._end):
            assert self._is_open.wait(DEADLINE_SECONDS)
        return self._then(asked)

    def open(self) -> None:
        self._is_open.set()


def test_calls_are_sent_one_request_at_a_time_and_a_question_comes_after_them(
    api: FakeApi, route: HttpRoute, replies: Replies
) -> None:
    gate = api.respond = Gate("/batch")
    enqueue(route, replies, 1)
    enqueue(route, replies, 2)
    ask(route, replies, 3)
    api.until(lambda asked: len(asked) == 1)
    assert not replies.by_number
    gate.open()

    assert replies.of(3).value["id"] == ID
    assert isinstance(replies.of(1), Enqueued)
    assert [one.path.rpartition("/")[2] for one in api.asked] == ["batch", "batch", ID]


def test_questions_are_asked_side_by_side(api: FakeApi, route: HttpRoute, replies: Replies) -> None:
    gate = api.respond = Gate("")
    for number in range(5):
        ask(route, replies, number)
    api.until(lambda asked: len(asked) == 5)
    gate.open()

    assert all(replies.of(number).value for number in range(5))


def test_a_refusal_goes_to_who_asked_and_the_route_goes_on(api: FakeApi, route: HttpRoute, replies: Replies) -> None:
    api.respond = lambda asked: refusal(503, kind="StoreError", problem="the disk is full")
    enqueue(route, replies, 1)
    assert isinstance(replies.of(1), StoreError)
    api.respond = store
    enqueue(route, replies, 2)

    assert isinstance(replies.of(2), Enqueued)


def test_a_fault_of_ours_is_told(api: FakeApi, route: HttpRoute, replies: Replies) -> None:
    def break_(asked: Asked) -> Reply:
        raise ZeroDivisionError("odd")

    api.respond = break_
    ask(route, replies, 1)

    assert str(replies.of(1)) == "it could not be sent: ZeroDivisionError: odd"


@pytest.mark.parametrize("error", [ConnectionLost("lost"), Unreached("unreached")])
def test_one_loss_ends_the_route_and_what_stands_behind_is_known_to_be_unsent(
    api: FakeApi, route: HttpRoute, replies: Replies, error: ConnectionLost
) -> None:
    def lose(asked: Asked) -> Reply:
        raise error

    gate = api.respond = Gate("/batch", lose)
    for number in (1, 2):
        enqueue(route, replies, number)
    ask(route, replies, 3)
    gate.open()

    assert [type(replies.of(number)) for number in (1, 2, 3)] == [type(error), Unreached, Unreached]
    assert list(replies.by_number) == [1, 2, 3]
    assert route.is_lost
    assert len(api.asked) == 1


def test_a_question_that_was_asked_when_another_is_lost_may_have_arrived(
    api: FakeApi, route: HttpRoute, replies: Replies
) -> None:
    gate = Gate(ID)

    def respond(asked: Asked) -> Reply:
        if asked.path.endswith("/batch"):
            raise Unreached("unreached")
        return gate(asked)

    api.respond = respond
    ask(route, replies, 1)
    api.until(lambda asked: len(asked) == 1)
    enqueue(route, replies, 2)
    told = replies.of(1)
    gate.open()

    assert (type(told), type(replies.of(2))) == (ConnectionLost, Unreached)


def test_what_was_given_up_while_it_stood_there_is_not_sent(api: FakeApi, route: HttpRoute, replies: Replies) -> None:
    gate = api.respond = Gate("/batch")
    enqueue(route, replies, 1)
    given_up = route.request(lambda drawn: Enqueues(drawn, [Enqueue("x", "f", b"[]", 1)]), replies.take(2))
    route.forget(given_up)
    ask(route, replies, 3)
    gate.open()
    replies.of(3)

    assert len(api.bodies("/batch")) == 1


# Waits.


def test_a_wait_is_answered_under_its_number(route: HttpRoute, replies: Replies) -> None:
    wait(route, replies, 1, "a")
    wait(route, replies, 2, "b")
    wait(route, replies, 3, "a")

    told = [replies.of(number) for number in (1, 2, 3)]
    assert [(one.id, one.state, one.result) for one in told if isinstance(one, Ended)] == [
        ("a", "succeed", b"42"),
        ("b", "succeed", b"42"),
        ("a", "succeed", b"42"),
    ]


def test_what_has_not_ended_is_asked_for_again(api: FakeApi, route: HttpRoute, replies: Replies) -> None:
    api.respond = ends("a")
    wait(route, replies, 1, "a")
    wait(route, replies, 2, "b")
    replies.of(1)
    api.until(lambda asked: sum("b" in one.body["ids"] for one in asked) > 1)
    api.respond = ends("b")

    assert replies.of(2).id == "b"
    assert "a" not in api.asked[-1].body["ids"]


def test_many_waits_share_requests(api: FakeApi, route: HttpRoute, replies: Replies) -> None:
    gate = api.respond = Gate("")
    for number in range(2_500):
        wait(route, replies, number, str(number))
    api.until(lambda asked: len(asked) == 3)  # three at a time, and the rest stands here
    gate.open()
    for number in range(2_500):
        replies.of(number)

    sizes = [len(one.body["ids"]) for one in api.asked]
    assert max(sizes) <= http_waits.MOST_IN_POLL
    assert sum(sizes) == 2_500
    assert len(sizes) < 20


def test_the_first_wait_is_long_and_further_ones_soon_make_room_for_what_comes(
    api: FakeApi, route: HttpRoute, replies: Replies
) -> None:
    gate = api.respond = Gate("")
    for number in range(3):
        wait(route, replies, number, str(number))
        api.until(lambda asked, most=number: len(asked) > most)  # type: ignore[misc]
    gate.open()

    assert [one.body["wait"] for one in api.asked] == [20.0, 2.0, 0.25]


def test_who_leaves_is_asked_for_no_more(api: FakeApi, route: HttpRoute, replies: Replies) -> None:
    api.respond = ends()
    left = wait(route, replies, 1, "a")
    wait(route, replies, 2, "b")
    api.until(lambda asked: any("a" in one.body["ids"] for one in asked))
    route.forget(left)
    route.tell(Unwait(left))
    api.until(lambda asked: len(asked) > 3 and asked[-1].body["ids"] == ["b"])

    assert 1 not in replies.by_number


def test_a_wait_that_was_heard_of_is_lost_and_one_that_was_not_is_unreached(
    api: FakeApi, route: HttpRoute, replies: Replies
) -> None:
    api.respond = ends()
    wait(route, replies, 1, "a")
    api.until(lambda asked: len(asked) > 1)

    def lose(asked: Asked) -> Reply:
        raise ConnectionLost("gone")

    api.respond = lose
    assert type(replies.of(1)) is ConnectionLost
    second = HttpRoute(api)
    wait(second, replies, 2, "b")

    assert type(replies.of(2)) is Unreached
    assert second.is_lost


def test_a_wait_that_is_refused_is_told(api: FakeApi, route: HttpRoute, replies: Replies) -> None:
    def refuse(asked: Asked) -> Reply:
        raise SettingError("a wrong token")

    api.respond = refuse
    wait(route, replies, 1)

    assert isinstance(replies.of(1), SettingError)
