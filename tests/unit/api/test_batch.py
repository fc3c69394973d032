"""Many calls in one request: one transaction, an outcome a call, in their order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from defer_cli.domain.ids import random_id
from defer_cli.store.writer import MOST_CALLS
from tests.unit.api.harness import Api


async def batch(api: Api, *calls: Any, status: int = 200) -> Any:
    answer = await api.ask("POST", "executions/batch", {"executions": list(calls)})
    assert answer.status_code == status, answer.text
    return answer.json()["data"] if status == 200 else answer.json()["message"]


def call(*arguments: Any, name: str = "compute", **fields: Any) -> dict[str, Any]:
    return {"function_name": name, "function_arguments": list(arguments), **fields}


async def test_each_call_has_its_outcome_in_order(api: Api) -> None:
    told = await batch(api, call(1), call("Ada", name="greetUser"), call(3))

    assert [(one["function_name"], one["state"], one["is_new"]) for one in told] == [
        ("compute", "created", True),
        ("greet_user", "created", True),
        ("compute", "created", True),
    ]
    listed = (await api.ask("GET", "executions")).json()["data"]
    assert [one["id"] for one in listed] == [one["id"] for one in reversed(told)]


async def test_an_outcome_tells_what_the_execution_itself_tells(api: Api) -> None:
    (told,) = await batch(api, call(1, schedule_for="2026-01-01T13:00:00Z"))
    execution = (await api.ask("GET", f"executions/{told['id']}")).json()["data"]

    assert told == {name: execution[name] for name in told if name != "is_new"} | {"is_new": True}


async def test_a_call_that_cannot_be_taken_is_refused_alone(api: Api) -> None:
    id = random_id()
    told = await batch(
        api,
        call(1, id=id),
        call(2, id=id),
        call(name="computer"),
        call(name="greet_user", id="x"),
        call(metadata={"k": ""}),
        call(1, 2, name="greet_user"),
        call(name="weekly"),
        call(1, id=id),
    )

    assert [one.get("status") for one in told] == [None, 409, 400, 400, 400, 400, 400, None]
    assert [one.get("error") for one in told[1:3]] == ["conflict", "bad_request"]
    assert told[1]["id"] == id
    assert told[2]["message"] == 'cannot find function "computer"; did you mean compute?'
    assert told[3]["message"].startswith("id: ")
    assert told[4]["message"].startswith("metadata: ")
    assert told[5]["message"].startswith("function_arguments: ")
    assert (told[7]["id"], told[7]["is_new"]) == (id, False)
    assert len((await api.ask("GET", "executions")).json()["data"]) == 1


async def test_a_batch_that_is_sent_twice_is_stored_once(api: Api) -> None:
    calls = [call(number, id=random_id()) for number in range(3)]
    first, second = await batch(api, *calls), await batch(api, *calls)

    assert [one["is_new"] for one in first + second] == [True] * 3 + [False] * 3
    assert [one["id"] for one in first] == [one["id"] for one in second]


async def test_a_batch_with_a_wrong_type_in_it_stores_nothing(api: Api) -> None:
    message = await batch(api, call(1), call(2, metadata={"k": 1}), status=400)

    assert message.startswith("executions[1].metadata[...]: ")
    assert (await api.ask("GET", "executions")).json()["data"] == []


async def test_as_many_calls_as_a_commit_holds_are_taken_and_no_more(api: Api) -> None:
    assert len(await batch(api, *[call()] * MOST_CALLS)) == MOST_CALLS
    assert "length <= 1000" in await batch(api, *[call()] * (MOST_CALLS + 1), status=400)


async def test_an_empty_batch_is_nothing_to_do(api: Api) -> None:
    assert await batch(api) == []


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", json.dumps({"executions": [1]}).encode()])
async def test_a_body_without_calls_is_refused(api: Api, body: bytes) -> None:
    assert (await api.ask("POST", "executions/batch", body)).status_code == 400
