"""Calls that are sent twice: one id is one execution, and a key makes an id."""

from __future__ import annotations

import pytest

from defer_cli.domain.ids import keyed_id, random_id
from tests.unit.api.harness import Api, refused


async def test_a_call_sent_twice_under_one_id_is_one_execution(api: Api) -> None:
    id = random_id()
    first = await api.enqueue("compute", 1, id=id)
    await api.start(id)
    second = await api.enqueue("compute", 1, id=id)

    assert (first["id"], first["state"], second["id"], second["state"]) == (id, "created", id, "started")
    assert len((await api.ask("GET", "executions")).json()["data"]) == 1


async def test_the_same_id_with_other_arguments_is_a_conflict(api: Api) -> None:
    id = random_id()
    await api.enqueue("compute", 1, id=id)
    message = await refused(api, {"function_name": "compute", "function_arguments": [2], "id": id}, 409)

    assert "belongs to an earlier call of compute with other arguments" in message


async def test_a_key_names_one_call_of_its_function(api: Api) -> None:
    ids = [(await api.enqueue("compute", key="2026-47"))["id"] for _ in range(2)]

    assert ids == [keyed_id("compute", "2026-47")] * 2
    assert (await api.enqueue("compute", key="2026-47", id=ids[0]))["id"] == ids[0]


@pytest.mark.parametrize(
    "fields", [{"id": "x"}, {"id": ""}, {"id": "8" * 26}, {"key": ""}, {"key": "k", "id": random_id()}]
)
async def test_an_id_that_is_none_or_another_one_than_the_key_s_is_refused(api: Api, fields: dict[str, str]) -> None:
    assert (await refused(api, {"function_name": "compute", **fields})).startswith(("id: ", "key: "))


async def test_the_moment_of_a_call_that_was_made_before_is_kept(api: Api) -> None:
    told = await api.enqueue(called_at="2026-01-01T11:00:00Z")

    assert told["created_at"] == "2026-01-01T11:00:00Z"
