"""Ends of many executions in one answer: what has ended, what nobody knows, and what is too much at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from defer_cli.api.endings import MOST_AWAITED
from defer_cli.domain.ids import random_id
from tests.unit.api.harness import Api

ENDINGS = "executions/endings"
FINAL = ["succeed", "failed", "cancelled", "aborted", "discarded"]
LARGE = b'"' + b"x" * 1_000_000 + b'"'


async def told(api: Api, *ids: str, **fields: Any) -> list[dict[str, Any]]:
    answer = await api.ask("POST", ENDINGS, {"ids": list(ids), **fields})
    assert answer.status_code == 200, answer.text
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


@pytest.mark.parametrize("state", FINAL)
async def test_what_has_ended_is_told_at_once(api: Api, state: str) -> None:
    id = await api.in_state(state, result=b'{"a":[1]}')
    (end,) = await told(api, id, wait=20)

    assert (end["id"], end["state"]) == (id, state)
    assert end.get("result") == ({"a": [1]} if state == "succeed" else None)
    assert ("error" in end) is (state == "failed")


@pytest.mark.parametrize("state", ["created", "started", "aborting"])
async def test_what_goes_on_is_not_told(api: Api, state: str) -> None:
    assert await told(api, await api.in_state(state), wait=0.01) == []


async def test_what_ends_meanwhile_is_told(api: Api) -> None:
    waits, ends = [await api.stored() for _ in range(2)]
    waiting = asyncio.ensure_future(told(api, waits, ends, wait=20))
    await api.until_awaited(ends)
    api.dispatcher.waiting.ended(ends, "succeed", b"7", None)

    assert await waiting == [{"id": ends, "state": "succeed", "result": 7}]
    assert not api.dispatcher.waiting.is_awaited(waits)


async def test_what_nobody_knows_is_told_as_such_beside_the_others(api: Api) -> None:
    known, unknown = await api.in_state("cancelled"), random_id()
    by_id = {end["id"]: end for end in await told(api, unknown, known, known, wait=20)}

    assert by_id[known] == {"id": known, "state": "cancelled"}
    assert (by_id[unknown]["error"], by_id[unknown]["detail"]["kind"]) == ("not_found", "ExecutionNotFound")


async def test_what_is_too_large_for_one_answer_comes_with_the_next(api: Api) -> None:
    ids = [await api.in_state("succeed", result=LARGE) for _ in range(6)]
    first = [end["id"] for end in await told(api, *ids)]
    second = [end["id"] for end in await told(api, *[id for id in ids if id not in first])]

    assert len(first) == 4
    assert sorted(first + second) == sorted(ids)


async def test_a_runner_that_is_about_to_go_says_so(api: Api) -> None:
    id, ended = await api.stored(), await api.in_state("cancelled")
    waiting = asyncio.ensure_future(api.ask("POST", ENDINGS, {"ids": [id], "wait": 20}))
    await api.until_awaited(id)
    api.polls.close()

    assert (await waiting).status_code == 503
    assert (await api.ask("POST", ENDINGS, {"ids": [id], "wait": 20})).status_code == 503
    assert [end["id"] for end in await told(api, id, ended)] == [ended]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "body"),
        ({"ids": "x"}, "ids"),
        ({"ids": [7]}, "ids[0]"),
        ({"ids": ["x" * 65]}, "ids[0]"),
        ({"ids": ["x"] * (MOST_AWAITED + 1)}, "ids"),
        ({"ids": [], "wait": -1}, "wait"),
        ({"ids": [], "wait": 20.1}, "wait"),
        ({"ids": [], "wait": "1"}, "wait"),
    ],
)
async def test_what_is_wrong_is_told_by_its_field(api: Api, body: Any, where: str) -> None:
    answer = await api.ask("POST", ENDINGS, body)

    assert answer.status_code == 400
    assert answer.json()["detail"]["where"] == where
