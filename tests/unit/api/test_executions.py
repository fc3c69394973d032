"""Questions and changes about one execution: every state of it, every endpoint."""

from __future__ import annotations

from datetime import datetime

import pytest

from defer_cli.domain.execution import ExecutionError
from defer_cli.domain.ids import random_id
from defer_cli.domain.states import State
from tests.store.harness import move, retry
from tests.unit.api.harness import ALL_STATES, UNKNOWN, Api

RESULT_STATUSES = {
    "created": 202,
    "started": 202,
    "aborting": 202,
    "succeed": 200,
    "failed": 200,
    "cancelled": 204,
    "aborted": 204,
    "discarded": 204,
}
ENDPOINTS = [
    ("GET", ""),
    ("GET", "/results"),
    ("GET", "/arguments"),
    ("POST", "/cancellation"),
    ("PATCH", "/schedule"),
    ("POST", "/reruns"),
    ("POST", "/attempts"),
    ("GET", "/attempts"),
]
ERROR_WITHOUT_WORDS = ExecutionError(code="ER0003", type="KeyError", message="")
CHANGES = [("POST", "cancellation"), ("PATCH", "schedule"), ("POST", "reruns")]


@pytest.mark.parametrize("state", ALL_STATES)
async def test_an_execution_is_told_in_every_state(api: Api, state: str) -> None:
    id = await api.in_state(state)
    answer = await api.ask("GET", f"executions/{id}")

    assert answer.status_code == 200
    told = answer.json()["data"]
    assert list(told)[:7] == ["id", "state", "function_name", "function_id", "scheduled_at", "created_at", "updated_at"]
    assert (told["id"], told["state"], told["function_name"]) == (id, state, "compute")


async def test_every_moment_has_an_offset(api: Api) -> None:
    id = await api.in_state("succeed")
    told = (await api.ask("GET", f"executions/{id}")).json()["data"]

    moments = [told[name] for name in ("scheduled_at", "created_at", "updated_at", "started_at", "finished_at")]
    assert all(datetime.fromisoformat(moment).utcoffset() is not None for moment in moments)


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
@pytest.mark.parametrize("id", [UNKNOWN, "nope", f"{UNKNOWN}.1", "x.y", "é"])
async def test_an_execution_that_is_not_there_is_404_everywhere(api: Api, method: str, path: str, id: str) -> None:
    answer = await api.ask(method, f"executions/{id}{path}", {} if method != "GET" else None)

    assert answer.status_code == 404
    assert (answer.json()["error"], answer.json()["message"]) == ("not_found", f'cannot find execution "{id}"')


@pytest.mark.parametrize("state", ALL_STATES)
async def test_the_status_of_a_result_tells_whether_there_is_one(api: Api, state: str) -> None:
    answer = await api.ask("GET", f"executions/{await api.in_state(state)}/results")

    assert answer.status_code == RESULT_STATUSES[state]
    assert answer.content == b"" if answer.status_code == 204 else answer.json() != ""


@pytest.mark.parametrize(
    ("stored", "told"), [(b'{"a":[1]}', {"a": [1]}), (b'"r"', "r"), (b"false", False), (None, None)]
)
async def test_a_result_is_the_bare_body(api: Api, stored: bytes | None, told: object) -> None:
    id = await api.in_state("succeed", result=stored)
    answer = await api.ask("GET", f"executions/{id}/results")

    assert answer.json() == told
    assert answer.headers["defer-state"] == "succeed"


async def test_the_result_of_a_failed_one_is_a_javascript_error(api: Api) -> None:
    id = await api.in_state("failed")
    answer = await api.ask("GET", f"executions/{id}/results")

    assert answer.headers["defer-state"] == "failed"
    assert answer.json() == {
        "message": "no",
        "stack": "Traceback …",
        "name": "ValueError",
        "code": "ER0003",
        "location": "a.py:3",
        "function_name": "compute",
    }


async def test_a_failure_without_words_still_has_a_message(api: Api) -> None:
    id = await api.stored()
    running = await api.start(id)
    await api.move(move("fail", running, State.FAILED))
    told = (await api.ask("GET", f"executions/{id}/results")).json()

    assert (told["message"], told["stack"]) == (f"execution {id} has failed",) * 2


async def test_a_failure_whose_message_is_empty_is_told_by_its_type(api: Api) -> None:
    id = await api.stored()
    await api.move(move("fail", await api.start(id), State.FAILED, error=ERROR_WITHOUT_WORDS))

    assert (await api.ask("GET", f"executions/{id}/results")).json()["message"] == "KeyError"


async def test_an_attempt_has_a_result_of_its_own(api: Api) -> None:
    id = await api.retried()

    assert (await api.ask("GET", f"executions/{id}.1/results")).json()["message"] == "no"
    assert (await api.ask("GET", f"executions/{id}.2/results")).json() is None


@pytest.mark.parametrize("stored", [b"[]", b'[1,{"a":null}]', b'{"args":[1],"kwargs":{"b":2}}'])
async def test_arguments_are_told_as_they_were_given(api: Api, stored: bytes) -> None:
    id = await api.stored(arguments=stored)

    assert (await api.ask("GET", f"executions/{id}/arguments")).content == stored


async def test_an_attempt_has_the_arguments_of_the_whole(api: Api) -> None:
    id = await api.retried()

    assert (await api.ask("GET", f"executions/{id}.1/arguments")).json() == []


@pytest.mark.parametrize("is_forced", [False, True])
@pytest.mark.parametrize("state", ALL_STATES)
async def test_what_a_cancel_does_depends_on_the_state(api: Api, state: str, is_forced: bool) -> None:
    expected = {
        ("created", False): (200, "cancelled"),
        ("created", True): (200, "cancelled"),
        ("started", True): (200, "aborting"),
        ("aborting", True): (202, "aborting"),
    }.get((state, is_forced), (409, state))
    id = await api.in_state(state)
    answer = await api.ask("POST", f"executions/{id}/cancellation", {"force": is_forced})

    assert (answer.status_code, (await api.get(id)).state) == expected
    told = answer.json()
    if answer.status_code == 409:
        assert (told["error"], told["message"]) == ("conflict", f"cannot cancel execution in {state} state")
        assert told["detail"]["state"] == state
    elif answer.status_code == 202:
        assert told["message"] == "the execution is being aborted already"
    else:
        assert told["data"]["state"] == expected[1]


@pytest.mark.parametrize("body", [{}, {"force": None}, {"force": False}, {"force": {"force": False}}, b""])
async def test_a_cancel_that_is_not_forced_leaves_what_runs(api: Api, body: object) -> None:
    id = await api.in_state("started")

    assert (await api.ask("POST", f"executions/{id}/cancellation", body)).status_code == 409


async def test_the_first_client_s_way_to_force_is_understood(api: Api) -> None:
    id = await api.in_state("started")
    answer = await api.ask("POST", f"executions/{id}/cancellation", {"force": {"force": True}})

    assert answer.json()["data"]["state"] == "aborting"


async def test_a_cancel_sent_again_after_its_answer_was_lost_succeeds(api: Api) -> None:
    id = await api.in_state("cancelled")
    answer = await api.ask("POST", f"executions/{id}/cancellation", {"is_again": True})

    assert (answer.status_code, answer.json()["data"]["state"]) == (200, "cancelled")


async def test_a_reschedule_sent_again_that_cannot_be_told_from_a_new_one_is_a_conflict(api: Api) -> None:
    id = await api.in_state("succeed")
    answer = await api.ask("PATCH", f"executions/{id}/schedule", {"is_again": True})

    assert (answer.status_code, answer.json()["detail"]["kind"]) == (409, "Unconfirmed")


@pytest.mark.parametrize("state", ALL_STATES)
async def test_only_what_waits_is_rescheduled(api: Api, state: str) -> None:
    id = await api.in_state(state)
    answer = await api.ask("PATCH", f"executions/{id}/schedule", {"schedule_for": "2031-01-01T00:00:00.000Z"})

    if state == "created":
        assert answer.status_code == 200
        assert answer.json()["data"]["scheduled_at"] == "2031-01-01T00:00:00Z"
    else:
        assert (answer.status_code, answer.json()["error"]) == (409, "conflict")
        assert answer.json()["message"] == f"cannot reschedule execution in {state} state"


@pytest.mark.parametrize("body", [b"", {}, {"schedule_for": None}])
async def test_rescheduled_for_no_time_is_now(api: Api, body: object) -> None:
    id = await api.stored(scheduled_us=api.clock.now_us + 3_600_000_000)
    answer = await api.ask("PATCH", f"executions/{id}/schedule", body)

    assert answer.json()["data"]["scheduled_at"] == "2026-01-01T12:00:00Z"


@pytest.mark.parametrize("state", ALL_STATES)
async def test_a_rerun_is_a_new_execution_in_every_state(api: Api, state: str) -> None:
    id = await api.in_state(state)
    answer = await api.ask("POST", f"executions/{id}/reruns", {})

    told = answer.json()["data"]
    assert (answer.status_code, told["state"], told["rerun_of"]) == (200, "created", id)
    assert told["id"] != id


async def test_a_rerun_that_is_sent_twice_under_one_id_is_one(api: Api) -> None:
    id, new_id = await api.in_state("succeed"), random_id()
    answers = [await api.ask("POST", f"executions/{id}/reruns", {"id": new_id}) for _ in range(2)]

    assert [answer.json()["data"]["id"] for answer in answers] == [new_id, new_id]


async def test_a_rerun_under_an_id_that_cannot_be_one_is_refused(api: Api) -> None:
    answer = await api.ask("POST", f"executions/{await api.stored()}/reruns", {"id": "x"})

    assert (answer.status_code, answer.json()["message"][:4]) == (400, "id: ")


@pytest.mark.parametrize(("method", "change"), CHANGES)
async def test_an_attempt_cannot_be_changed(api: Api, method: str, change: str) -> None:
    id = await api.retried()
    answer = await api.ask(method, f"executions/{id}.1/{change}", {})

    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")
    assert "is one attempt, which cannot be changed" in answer.json()["message"]


async def test_attempts_are_executions_of_their_own_newest_first(api: Api) -> None:
    id = await api.retried()
    answer = await api.ask("POST", f"executions/{id}/attempts", {})

    told = answer.json()
    assert [(one["id"], one["state"]) for one in told["data"]] == [(f"{id}.2", "succeed"), (f"{id}.1", "failed")]
    assert [(one["number"], one["outcome"], one["error_code"]) for one in told["data"]] == [
        (2, "succeed", None),
        (1, "retry", "ER0003"),
    ]
    assert told["data"][1]["error"]["type"] == "ValueError"
    assert told["page_info"]["has_next_page"] is False
    alone = (await api.ask("GET", f"executions/{id}.1")).json()["data"]
    assert {name: told["data"][1][name] for name in alone} == alone


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [({"states": ["failed"]}, [1]), ({"error_codes": ["ER0003"]}, [1]), ({"states": ["created"]}, []), ({}, [2, 1])],
)
async def test_attempts_are_filtered(api: Api, filters: object, numbers: list[int]) -> None:
    id = await api.retried()
    answer = await api.ask("POST", f"executions/{id}/attempts", {"filters": filters, "page": {"first": 5}})

    assert [one["number"] for one in answer.json()["data"]] == numbers


async def test_attempts_are_paged(api: Api) -> None:
    id = await api.retried()
    first = (await api.ask("GET", f"executions/{id}/attempts?first=1")).json()
    second = (await api.ask("GET", f"executions/{id}/attempts?after={first['page_info']['end_cursor']}")).json()

    assert [one["number"] for one in first["data"] + second["data"]] == [2, 1]
    assert (first["page_info"]["has_next_page"], second["page_info"]["has_next_page"]) == (True, False)


async def test_between_its_attempts_an_execution_is_created(api: Api) -> None:
    id = await api.stored()
    await api.move(retry(await api.start(id)))

    assert (await api.ask("GET", f"executions/{id}")).json()["data"]["state"] == State.CREATED
