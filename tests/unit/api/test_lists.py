"""Pages and filters as they come over the wire, by body and by query."""

from __future__ import annotations

from typing import Any

import pytest

from defer_cli.api.shapes import function_id
from tests.store.harness import SECOND
from tests.unit.api.harness import Api


async def listed(api: Api, page: Any = None, **filters: Any) -> list[str]:
    """Return the ids on a page."""
    answer = await api.ask("POST", "executions", {"page": page, "filters": filters})
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["data"]]


async def refused(api: Api, body: Any) -> str:
    answer = await api.ask("POST", "executions", body)
    assert answer.status_code == 400, answer.text
    return str(answer.json()["message"])


async def test_a_list_holds_the_newest_first_and_tells_of_its_page(api: Api) -> None:
    ids = [await api.stored() for _ in range(3)]
    told = (await api.ask("POST", "executions", {})).json()

    assert [one["id"] for one in told["data"]] == ids[::-1]
    assert set(told["page_info"]) == {"has_next_page", "has_prev_page", "start_cursor", "end_cursor"}
    assert (told["page_info"]["has_next_page"], told["page_info"]["has_prev_page"]) == (False, False)


async def test_an_empty_list_has_no_cursors(api: Api) -> None:
    told = (await api.ask("POST", "executions", {})).json()

    assert (told["data"], told["page_info"]["start_cursor"], told["page_info"]["end_cursor"]) == ([], None, None)


async def test_a_walk_over_pages_meets_every_execution_once_in_both_directions(api: Api) -> None:
    ids = [await api.stored() for _ in range(5)][::-1]
    forth: list[str] = []
    page: dict[str, Any] = {"first": 2}
    while True:
        told = (await api.ask("POST", "executions", {"page": page})).json()
        forth += [one["id"] for one in told["data"]]
        if not told["page_info"]["has_next_page"]:
            break
        page["after"] = told["page_info"]["end_cursor"]
    back: list[str] = []
    page = {"last": 2}
    while True:
        told = (await api.ask("POST", "executions", {"page": page})).json()
        back = [one["id"] for one in told["data"]] + back
        if not told["page_info"]["has_prev_page"]:
            break
        page["before"] = told["page_info"]["start_cursor"]

    assert forth == back == ids


async def test_without_a_size_a_page_holds_50(api: Api) -> None:
    for _ in range(51):
        await api.stored()

    assert len(await listed(api)) == 50
    assert len(await listed(api, {"first": 500})) == 51


async def test_each_filter_narrows_the_list(api: Api) -> None:
    failed = await api.in_state("failed")
    later = await api.stored(scheduled_us=api.clock.now_us + 3600 * SECOND)
    tagged = await api.stored(metadata={"user": "12", "plan": "pro"})
    other = await api.stored("greet_user")
    gone = await api.stored("removed_function")
    child = await api.stored(parent=failed, came_from="call")

    assert await listed(api, states=["failed"]) == [failed]
    assert await listed(api, states=["failed", "cancelled"]) == [failed]
    assert await listed(api, error_codes=["ER0003"]) == [failed]
    assert await listed(api, error_codes=["ER0001"]) == []
    assert await listed(api, executed_by="a") == [failed]
    assert await listed(api, function_ids=[function_id("greet_user"), function_id("nobody")]) == [other]
    assert await listed(api, function_ids=[function_id("removed_function")]) == [gone]
    assert await listed(api, function_ids=[function_id("nobody")]) == []
    assert await listed(api, function_names=["greet_user"]) == [other]
    assert await listed(api, function_names=["greet_user"], function_ids=[function_id("compute")]) == []
    assert await listed(api, scheduled_at={"from": "2026-01-01T13:00:00Z"}) == [later]
    assert await listed(api, scheduled_at={"from": "2026-01-01T14:00:00+01:00", "to": "2026-01-01T13:00:00Z"}) == [
        later
    ]
    assert await listed(api, started_at={"to": "2026-01-01T12:00:00Z"}) == [failed]
    assert await listed(api, started_at={"to": "2026-01-01T11:59:59Z"}) == []
    assert await listed(api, metadata=[{"key": "user", "values": ["11", "12"]}]) == [tagged]
    assert await listed(api, metadata=[{"key": "user", "values": ["12"]}, {"key": "plan", "values": ["free"]}]) == []
    assert await listed(api, metadata=[{"key": "user", "values": ["1"]}, {"key": "user", "values": ["12"]}]) == [tagged]
    assert await listed(api, parent=failed) == [child]
    assert await listed(api, came_from=["tick"]) == []


@pytest.mark.parametrize(
    "filters",
    [
        None,
        {},
        {key: [] for key in ["states", "function_ids", "error_codes", "metadata"]},
        dict.fromkeys(["states", "function_ids", "error_codes", "metadata", "scheduled_at", "executed_by", "parent"]),
        {"scheduled_at": {}, "started_at": {"from": None, "to": None}, "metadata": [{"key": "k", "values": []}]},
        {"unheard_of": [1]},
    ],
)
async def test_a_filter_that_is_empty_or_unheard_of_narrows_nothing(api: Api, filters: object) -> None:
    id = await api.stored()
    answer = await api.ask("POST", "executions", {"page": None, "filters": filters, "more": 1})

    assert [one["id"] for one in answer.json()["data"]] == [id]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"filters": {"states": ["failed", "done"]}}, "filters.states[1]: Invalid enum value 'done'"),
        ({"filters": {"states": "failed"}}, "filters.states: Expected array | null, got str"),
        ({"filters": {"metadata": [{"values": ["x"]}]}}, "filters.metadata[0]: "),
        ({"filters": {"metadata": [{"key": 1}]}}, "filters.metadata[0].key: "),
        ({"filters": {"metadata": {"k": "v"}}}, "filters.metadata: "),
        ({"filters": {"scheduled_at": {"from": "yesterday"}}}, "filters.scheduled_at.from: "),
        ({"filters": {"started_at": {"to": "2026-01-01T00:00:00"}}}, "filters.started_at.to: "),
        ({"filters": {"started_at": {"from": "0001-01-01T00:00:00+14:00"}}}, "filters.started_at: "),
        ({"filters": {"executed_by": 1}}, "filters.executed_by: "),
        ({"filters": {"came_from": ["moon"]}}, "filters.came_from: "),
        ({"filters": {"function_ids": [None]}}, "filters.function_ids[0]: "),
        ({"filters": {"error_codes": ["x"] * 1001}}, "filters.error_codes: "),
        ({"filters": []}, "filters: "),
        ({"page": {"first": -1}}, "page.first: "),
        ({"page": {"first": 0}}, "page.first: "),
        ({"page": {"last": 501}}, "page.last: "),
        ({"page": {"first": "10"}}, "page.first: "),
        ({"page": {"first": 10**30}}, "page.first: "),
        ({"page": {"first": True}}, "page.first: "),
        ({"page": {"first": 1, "last": 1}}, "page: "),
        ({"page": {"after": "nope"}}, "page.after: "),
        ({"page": {"before": 3}}, "page.before: "),
        ([], "body: "),
    ],
)
async def test_what_is_wrong_is_told_by_its_path(api: Api, body: object, message: str) -> None:
    assert (await refused(api, body)).startswith(message)


async def test_a_get_lists_by_its_query(api: Api) -> None:
    failed = await api.in_state("failed")
    tagged = await api.stored(metadata={"user.name": "12"})

    async def by(query: str) -> list[str]:
        return [one["id"] for one in (await api.ask("GET", f"executions?{query}")).json()["data"]]

    assert await by("") == [tagged, failed]
    assert await by("first=1") == [tagged]
    assert await by("states=failed&states=cancelled") == [failed]
    assert await by(f"function_ids={function_id('compute')}&error_codes=ER0003&executed_by=a") == [failed]
    assert await by("metadata.user.name=12&metadata.user.name=13") == [tagged]
    assert await by("scheduled_at.from=2026-01-01T12:00:00Z&scheduled_at.to=2026-01-01T13:00:00%2B01:00") == [
        tagged,
        failed,
    ]
    assert await by("unheard_of=1") == [tagged, failed]


async def test_a_get_with_a_body_lists_by_that(api: Api) -> None:
    failed = await api.in_state("failed")
    await api.stored()
    answer = await api.ask("GET", "executions?states=created", {"filters": {"states": ["failed"]}})

    assert [one["id"] for one in answer.json()["data"]] == [failed]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("first=x", "page.first: "),
        ("states=done", "filters.states[0]: "),
        ("started_at.to=x", "filters.started_at.to: "),
        ("started_at.to=null", "filters.started_at.to: "),
        ("started_at.to=0.5", "filters.started_at.to: "),
        ("last=Null", "page.last: "),
        ("last=1.0", "page.last: "),
        ("last=-1", "page.last: "),
    ],
)
async def test_what_is_wrong_in_a_query_is_told_by_its_path(api: Api, query: str, message: str) -> None:
    answer = await api.ask("GET", f"executions?{query}")

    assert (answer.status_code, answer.json()["message"][: len(message)]) == (400, message)
