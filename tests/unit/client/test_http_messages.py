"""Frames become requests of the public API and its answers replies, with nothing lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from defer_cli.client.http_messages import LARGEST_BODY, answer, ends_of, store_calls
from defer_cli.client.http_session import Reply
from defer_cli.client.routes import ConnectionLost, Unreached
from defer_cli.domain.changes import Change
from defer_cli.domain.enqueue import Enqueue, Refused, Stored
from defer_cli.domain.errors import (
    DeferError,
    ExecutionAbortingAlreadyInProgress,
    ExecutionNotFound,
    StoreError,
)
from defer_cli.domain.execution import Attempt, Execution, to_moment
from defer_cli.domain.paging import Filters, Interval, Page
from defer_cli.link.frames import Ask, Ended, Enqueues
from tests.unit.client.fake_api import NOON, Asked, FakeApi, execution, refusal, reply, store, stored

ID, OTHER = "01m8argyvwe8ht55xgrrcypejy", "01m8argyvwe8ht55xgrrcypejz"
NOON_US = 1_767_268_800_500_000


def ask(api: FakeApi, name: str, **parameters: Any) -> Any:
    return answer(api, Ask(1, name, parameters))


def plain(value: Any) -> Any:
    return msgspec.to_builtins(value)


# Calls.


def test_a_call_is_sent_with_all_that_was_asked_for() -> None:
    api = FakeApi()
    call = Enqueue(
        ID,
        "compute",
        b'{"args":[1.0,"\xc3\xa9"],"kwargs":{"a":[1e5]}}',
        NOON_US,
        scheduled_us=NOON_US + 1,
        discard_us=NOON_US + 2,
        metadata={"user": "12"},
        key="weekly",
        trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 a=1",
    )
    store_calls(api, Enqueues(7, [call]))

    assert api.asked == [
        Asked(
            "POST",
            "/public/v2/executions/batch",
            {
                "executions": [
                    {
                        "id": ID,
                        "function_name": "compute",
                        "function_arguments": [1.0, "é"],
                        "keyword_arguments": {"a": [1e5]},
                        "called_at": "2026-01-01T12:00:00.500000Z",
                        "schedule_for": "2026-01-01T12:00:00.500001Z",
                        "discard_after": "2026-01-01T12:00:00.500002Z",
                        "metadata": {"user": "12"},
                        "key": "weekly",
                        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                        "tracestate": "a=1",
                    }
                ]
            },
        )
    ]


def test_what_was_not_asked_for_is_not_sent() -> None:
    api = FakeApi()
    store_calls(api, Enqueues(7, [Enqueue(ID, "compute", b"[1]", NOON_US)]))

    (call,) = api.asked[0].body["executions"]
    assert set(call) == {"id", "function_name", "function_arguments", "called_at"}


def test_each_call_has_its_own_outcome() -> None:
    refused = {"id": OTHER, "error": "conflict", "message": "m", "detail": {"kind": "", "problem": "p", "mend": "d"}}
    api = FakeApi(lambda asked: reply([stored(ID, state="started", attempt=2, is_new=False), refused]))
    told = store_calls(api, Enqueues(7, [Enqueue(one, "compute", b"[]", 1) for one in (ID, OTHER)]))

    assert told.number == 7
    assert told.results == [
        Stored(
            ID, is_new=False, state="started", attempt=2, created_us=NOON_US, scheduled_us=NOON_US, updated_us=NOON_US
        ),
        Refused(OTHER, "p", "d"),
    ]


@pytest.mark.parametrize("sizes", [[400_000] * 6, [10, 1_048_000, 10], [LARGEST_BODY, LARGEST_BODY], [1] * 1_000])
def test_calls_that_one_body_cannot_hold_are_sent_in_several_in_their_order(sizes: list[int]) -> None:
    api = FakeApi()
    calls = [Enqueue(f"{n:026}", "f", b'["' + b"x" * size + b'"]', 1) for n, size in enumerate(sizes)]
    told = store_calls(api, Enqueues(1, calls))
    bodies = [body["executions"] for body in api.bodies("/batch")]

    assert [call["id"] for body in bodies for call in body] == [call.id for call in calls]
    assert [result.id for result in told.results if result] == [call.id for call in calls]
    assert all(len(body) == 1 or len(str(body)) <= LARGEST_BODY + 200 * len(body) for body in bodies)
    assert (len(bodies) > 1) is (sum(sizes) > LARGEST_BODY)


@pytest.mark.parametrize(
    "answered",
    [
        reply([]),
        reply([stored(ID), stored(ID)]),
        reply({}),
        reply(None),
        Reply(200, b"[]"),
        Reply(200, b"\xff"),
        reply([{}]),
    ],
)
def test_what_is_no_answer_to_calls_is_told(answered: Reply) -> None:
    with pytest.raises(DeferError, match="^strange: 200"):
        store_calls(FakeApi(lambda asked: answered), Enqueues(7, [Enqueue(ID, "compute", b"[]", 1)]))


def test_a_store_that_takes_nothing_is_the_same_error_as_elsewhere() -> None:
    api = FakeApi(lambda asked: refusal(503, kind="StoreError", problem="the disk is full", mend="make room"))

    with pytest.raises(StoreError, match="^the disk is full; make room$"):
        store_calls(api, Enqueues(7, [Enqueue(ID, "compute", b"[]", 1)]))


def after_the_first(error: DeferError) -> FakeApi:
    """Return an API that stores what the first request brings, and then fails so."""

    def respond(asked: Asked) -> Reply:
        if len(api.asked) > 1:
            raise error
        return store(asked)

    api = FakeApi(respond)
    return api


TWO_REQUESTS = Enqueues(7, [Enqueue(id, "f", b'["' + b"x" * 700_000 + b'"]', 1) for id in (ID, OTHER)])


@pytest.mark.parametrize("error", [Unreached("nobody there"), ConnectionLost("nobody there")])
def test_a_loss_after_some_calls_were_stored_is_not_told_as_if_none_were(error: DeferError) -> None:
    with pytest.raises(ConnectionLost, match="nobody there") as told:
        store_calls(after_the_first(error), TWO_REQUESTS)

    assert type(told.value) is ConnectionLost


def test_a_refusal_after_some_calls_were_stored_is_that_of_the_others() -> None:
    first, second = store_calls(after_the_first(StoreError("full", mend="make room")), TWO_REQUESTS).results

    assert isinstance(first, Stored)
    assert second == Refused(OTHER, "full", "make room")


# Questions and changes.


def test_an_execution_is_told_by_its_own_names() -> None:
    told = ask(FakeApi(lambda asked: reply(execution(ID, metadata={"a": "b"}))), "execution", id=ID)

    assert msgspec.convert(told, Execution).function == "compute"
    assert msgspec.convert(told, Execution).metadata == {"a": "b"}


def test_an_ending_is_exact() -> None:
    def respond(asked: Asked) -> Reply:
        if asked.path.endswith("endings"):
            return Reply(200, f'{{"data":[{{"id":"{ID}","state":"succeed","result":[1.0, 1e400]}}]}}'.encode())
        return reply(execution(ID, state="succeed"))

    told = ask(FakeApi(respond), "ending", id=ID)

    assert (told["function"], told["state"], told["result"], told["error"]) == (
        "compute",
        "succeed",
        "[1.0, 1e400]",
        None,
    )


@pytest.mark.parametrize("state", ["created", "started", "aborting", "cancelled", "aborted", "discarded"])
def test_what_has_no_result_is_asked_for_none(state: str) -> None:
    api = FakeApi(lambda asked: reply(execution(ID, state=state)))

    assert ask(api, "ending", id=ID)["state"] == state
    assert len(api.asked) == 1


def test_the_error_of_an_attempt_is_taken_from_its_result() -> None:
    thrown = {"message": "no stock", "stack": "Traceback", "name": "ValueError", "code": "ER0003", "location": "a.py:1"}

    def respond(asked: Asked) -> Reply:
        return (
            Reply(200, msgspec.json.encode(thrown)) if "results" in asked.path else reply(execution(ID, state="failed"))
        )

    told = ask(FakeApi(respond), "ending", id=f"{ID}.1")

    assert msgspec.json.decode(told["error"]) == {
        "code": "ER0003",
        "type": "ValueError",
        "message": "no stock",
        "traceback": "Traceback",
        "location": "a.py:1",
    }


def test_a_list_is_asked_for_by_the_names_of_the_wire() -> None:
    api = FakeApi(lambda asked: Reply(200, msgspec.json.encode({"data": [execution(ID)], "page_info": {"a": 1}})))
    filters = Filters(
        states=["failed"],
        functions=["compute"],
        started_at=Interval(from_=to_moment(NOON_US)),
        metadata={"user": ["1", "2"]},
        came_from=["rerun"],
        parent=OTHER,
    )
    told = ask(api, "executions", page=plain(Page(first=3)), filters=plain(filters))

    assert [item["function"] for item in told["items"]] == ["compute"]
    assert told["page_info"] == {"a": 1}
    (body,) = api.bodies("/executions")
    assert body["page"] == {"first": 3, "after": None, "last": None, "before": None}
    assert body["filters"] == {
        "states": ["failed"],
        "function_names": ["compute"],
        "error_codes": [],
        "scheduled_at": {"from": None, "to": None},
        "started_at": {"from": "2026-01-01T12:00:00.500000Z", "to": None},
        "metadata": [{"key": "user", "values": ["1", "2"]}],
        "executed_by": None,
        "came_from": ["rerun"],
        "parent": OTHER,
    }


def test_attempts_are_told_with_their_errors() -> None:
    error = {"code": "ER0003", "type": "ValueError", "message": "", "traceback": "t", "location": None}
    item = execution(f"{ID}.1", number=1, outcome="retry", error=error, started_at=NOON)
    api = FakeApi(lambda asked: Reply(200, msgspec.json.encode({"data": [item], "page_info": {}})))
    told = ask(api, "attempts", id=ID, page=plain(Page()), filters=plain(Filters()))

    assert api.asked[0].path == f"/public/v2/executions/{ID}/attempts"
    (attempt,) = msgspec.convert(told["items"], list[Attempt])
    assert (attempt.number, attempt.outcome, attempt.error and attempt.error.message) == (1, "retry", "")


@pytest.mark.parametrize(
    ("name", "parameters", "method", "path", "body"),
    [
        (
            "cancel",
            {"ids": [ID], "is_forced": True, "is_again": True},
            "POST",
            "cancellation",
            {"force": True, "is_again": True},
        ),
        (
            "reschedule",
            {"ids": [ID], "scheduled_us": None, "is_again": False},
            "PATCH",
            "schedule",
            {"schedule_for": None, "is_again": False},
        ),
        (
            "reschedule",
            {"ids": [ID], "scheduled_us": NOON_US, "is_again": True},
            "PATCH",
            "schedule",
            {"schedule_for": "2026-01-01T12:00:00.500000Z", "is_again": True},
        ),
        ("rerun", {"pairs": [(ID, OTHER)]}, "POST", "reruns", {"id": OTHER}),
    ],
)
def test_a_change_says_whether_it_was_asked_for_before(
    name: str, parameters: dict[str, Any], method: str, path: str, body: Any
) -> None:
    api = FakeApi(lambda asked: reply(execution(OTHER)))
    (change,) = msgspec.convert(ask(api, name, **parameters), list[Change])

    assert api.asked == [Asked(method, f"/public/v2/executions/{ID}/{path}", body)]
    assert change.changed().id == OTHER


def test_a_refused_change_is_the_error_it_was() -> None:
    kind = "ExecutionAbortingAlreadyInProgress"
    api = FakeApi(lambda asked: refusal(202, kind=kind, problem="it is", where=ID, state="aborting", mend="wait"))
    (change,) = msgspec.convert(ask(api, "cancel", ids=[ID], is_forced=True, is_again=False), list[Change])

    with pytest.raises(ExecutionAbortingAlreadyInProgress, match=f"^{ID}: it is; wait$") as told:
        change.changed()
    assert told.value.state == "aborting"


QUESTIONS: list[Callable[[FakeApi], Any]] = [
    lambda api: ask(api, "execution", id=ID),
    lambda api: ask(api, "ending", id=ID),
    lambda api: ask(api, "executions", page={}, filters=plain(Filters())),
    lambda api: ask(api, "attempts", id=ID, page={}, filters=plain(Filters())),
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_refused_question_is_the_error_it_was(question: Callable[[FakeApi], Any]) -> None:
    with pytest.raises(ExecutionNotFound, match="^no execution has the id 'x'$"):
        question(FakeApi(lambda asked: refusal(404, kind="ExecutionNotFound", problem="no execution has the id 'x'")))


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"data":7}', b'{"error":"x","message":"y","detail":7}'])
@pytest.mark.parametrize("status", [200, 404])
def test_what_is_no_answer_to_a_question_is_told(question: Callable[[FakeApi], Any], body: bytes, status: int) -> None:
    with pytest.raises(DeferError, match=f"^strange: {status}"):
        question(FakeApi(lambda asked: Reply(status, body)))


def test_what_cannot_be_asked_over_http_is_told() -> None:
    with pytest.raises(DeferError, match="'counts' cannot be asked over HTTP"):
        ask(FakeApi(), "counts")


# Ends.


def test_ends_are_told_with_exact_results_and_errors() -> None:
    ended = b'{"id":"a","state":"succeed","result":1.0},{"id":"b","state":"failed","error":{"x":1}}'
    data = b"[" + ended + b',{"id":"c","state":"aborted"}]'
    api = FakeApi(lambda asked: Reply(200, b'{"data":' + data + b"}"))
    told = ends_of(api, ["a", "b", "c", "a"], wait_seconds=2, answer_seconds=3)

    assert api.asked[0].body == {"ids": ["a", "b", "c"], "wait": 2}
    assert told == {
        "a": Ended(0, "a", "succeed", b"1.0", None),
        "b": Ended(0, "b", "failed", None, b'{"x":1}'),
        "c": Ended(0, "c", "aborted", None, None),
    }


def test_an_end_that_cannot_be_told_is_an_error_of_its_own() -> None:
    body = (
        b'{"data":[{"id":"a","error":"not_found","message":"m","detail":{"kind":"ExecutionNotFound","problem":"p"}}]}'
    )
    told = ends_of(FakeApi(lambda asked: Reply(200, body)), ["a"], wait_seconds=0)

    assert isinstance(told["a"], ExecutionNotFound)
