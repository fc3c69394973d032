"""v1, as clients before 2.0 speak it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.unit.api.harness import ALL_STATES, Api

V1 = "/public/v1"


async def ask(api: Api, method: str, path: str, body: Any = None) -> httpx.Response:
    return await api.send(method, f"{V1}/{path}", body)


@pytest.mark.parametrize("field", ["scheduled_for", "schedule_for"])
async def test_a_call_is_stored_under_both_names_of_its_time(api: Api, field: str) -> None:
    body = {"name": "greetUser", "arguments": ["Ada"], field: "2026-01-01T13:00:00Z", "metadata": {"k": "v"}}
    answer = await ask(api, "POST", "enqueue", body)

    assert answer.is_success
    assert list(answer.json()) == ["id"]
    stored = await api.get(answer.json()["id"])
    assert (stored.function, stored.scheduled_at.hour, stored.metadata) == ("greet_user", 13, {"k": "v"})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"name": "nobody"}, "invalid function name"),
        ({}, "body: "),
        ({"name": "compute", "arguments": 1}, "function_arguments: "),
    ],
)
async def test_a_call_that_is_wrong_is_a_bad_request(api: Api, body: object, message: str) -> None:
    answer = await ask(api, "POST", "enqueue", body)

    assert (answer.status_code, answer.json()["error"]) == (400, "bad request")
    assert answer.json()["message"].startswith(message)


@pytest.mark.parametrize("state", ALL_STATES)
async def test_an_execution_is_told_with_its_result(api: Api, state: str) -> None:
    id = await api.in_state(state, result=b'{"a":[1]}')
    told = (await ask(api, "GET", f"executions/{id}")).json()

    assert (told["id"], told["state"]) == (id, state)
    if state == "failed":
        assert (told["result"]["message"], told["result"]["stack"]) == ("no", "Traceback …")
    else:
        assert told["result"] == ({"a": [1]} if state == "succeed" else None)


@pytest.mark.parametrize(("state", "status"), [("created", 200), ("started", 200), ("aborting", 202), ("succeed", 409)])
async def test_a_cancel_answers_with_the_id(api: Api, state: str, status: int) -> None:
    id = await api.in_state(state)
    answer = await ask(api, "POST", f"executions/{id}/cancel", {"force": True})

    assert answer.status_code == status
    if answer.is_success:
        assert answer.json() == {"id": id}
    else:
        assert answer.json()["message"] == f"cannot cancel execution in {state} state"


async def test_a_reschedule_answers_with_nothing(api: Api) -> None:
    id = await api.stored()
    answer = await ask(api, "POST", f"executions/{id}/reschedule", {"schedule_for": "2026-01-01T13:00:00Z"})

    assert (answer.status_code, answer.json(), (await api.get(id)).scheduled_at.hour) == (200, {}, 13)


async def test_tries_are_the_attempts(api: Api) -> None:
    id = await api.retried()
    told = (await ask(api, "GET", f"executions/{id}/tries")).json()

    assert told == [{"id": f"{id}.2", "state": "succeed"}, {"id": f"{id}.1", "state": "failed"}]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("POST", "/cancel"), ("POST", "/reschedule"), ("GET", "/tries")]
)
async def test_an_execution_that_is_not_there_is_not_found(api: Api, method: str, path: str) -> None:
    answer = await ask(api, method, f"executions/nope{path}")

    assert (answer.status_code, answer.json()["error"]) == (404, "not found")
