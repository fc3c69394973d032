"""The list of executions."""

from __future__ import annotations

import html
import json
import re
from urllib.parse import quote

import pytest

from defer_cli.domain.states import State
from defer_cli.store.sqlite import finding
from tests.unit.api.harness import ALL_STATES, UNKNOWN
from tests.unit.console.harness import Console

PAGE = 50


def ids_in(page: str) -> list[str]:
    """Return the ids of the rows, in their order."""
    return re.findall(r'<tr data-row="([^"]+)"', page)


def link(page: str, words: str) -> str:
    """Return where a link leads."""
    found = re.search(rf'<a href="([^"]+)"[^>]*>{words}</a>', page)
    assert found, words
    return html.unescape(found[1])


async def many(console: Console, count: int) -> list[str]:
    """Return the ids of new executions, newest first."""
    return [await console.stored() for _ in range(count)][::-1]


async def test_an_empty_store_says_what_to_type_next(console: Console) -> None:
    assert "defer trigger NAME" in await console.page("/executions")


async def test_a_filter_that_nothing_passes_is_said_so(console: Console) -> None:
    await console.stored()
    page = await console.page("/executions?status=failed")
    assert "No execution matches" in page
    assert "Nothing has been called yet" not in page


async def test_every_state_is_found_by_its_name(console: Console) -> None:
    by_state = {state: await console.in_state(state) for state in ALL_STATES if state != State.CREATED}
    by_state[State.CREATED] = await console.in_state(State.CREATED)
    for state, id in by_state.items():
        page = await console.page(f"/executions?status={state}")
        assert ids_in(page) == [id]
        assert f'value="{state}" checked' in page


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("function=compute", True),
        ("function=greet_user", False),
        ("metadata.user=12", True),
        ("metadata.user=13", False),
        ("metadata.user=13&metadata.user=12", True),
        ("came_from=call", True),
        ("came_from=tick&came_from=rerun", False),
        (f"parent={UNKNOWN}", False),
        ("scheduled_from=2026-01-01&scheduled_to=2026-01-01", True),
        ("scheduled_from=2026-01-02", False),
        ("executed_from=2026-01-01", False),
        ("error=ER0003", False),
    ],
)
async def test_the_address_says_what_is_listed(console: Console, query: str, is_found: bool) -> None:
    id = await console.stored(metadata={"user": "12"})
    assert ids_in(await console.page(f"/executions?{query}")) == ([id] if is_found else [])


async def test_pages_lead_on_and_back(console: Console) -> None:
    ids = await many(console, 2 * PAGE + 1)
    first = await console.page("/executions?function=compute")
    assert ids_in(first) == ids[:PAGE]
    second = await console.page(link(first, "Older →"))
    assert ids_in(second) == ids[PAGE : 2 * PAGE]
    third = await console.page(link(second, "Older →"))
    assert ids_in(third) == ids[2 * PAGE :]
    assert "Older" not in third
    back = await console.page(link(third, "← Newer"))
    assert ids_in(back) == ids[PAGE : 2 * PAGE]
    newest = await console.page(link(back, "← Newer"))
    assert ids_in(newest) == ids[:PAGE]
    assert "Newer" not in newest
    assert link(back, "Newest") == "/executions?function=compute"


async def test_the_way_back_ends_at_a_full_first_page(console: Console) -> None:
    ids = await many(console, PAGE + 1)
    second = await console.page(link(await console.page("/executions"), "Older →"))
    ids = await many(console, 3) + ids
    back = await console.page(link(second, "← Newer"))
    assert ids_in(back) == ids[3 : PAGE + 3]
    assert ids_in(await console.page(link(back, "← Newer"))) == ids[:PAGE]


async def test_a_search_that_ran_out_of_time_says_how_far_it_came_and_goes_on(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "LONGEST_SECONDS", -1.0)
    monkeypatch.setattr(finding, "_FIRST_STRETCH", 1)
    wanted = await console.stored(metadata={"user": "12"})
    await many(console, 600)
    page, steps = await console.page("/executions?metadata.user=12"), 0
    while not ids_in(page):
        assert "No execution matches so far" in page
        assert "It stopped at 2026-01-01 12:00:00 UTC" in page
        page, steps = await console.page(link(page, "Search on")), steps + 1
    assert ids_in(page) == [wanted]
    assert steps >= 2
    assert "Search on" not in page


@pytest.mark.parametrize(
    "query",
    [
        "status=nope",
        "nonsense=1",
        "scheduled_from=soon",
        "after=zz",
        "before=c" + "f" * 16,
        "metadata.=x",
        "status=%00%ff%fe",
        "executed_from=9999-12-31T23:59:59-10:00",
        quote('"><script>alert(1)</script>') + "=1",
        "&".join(f"function=f{n}" for n in range(1_001)),
        "&".join(f"metadata.k{n}=1" for n in range(26)),
        "scheduled_from=now&scheduled_to=2h",
    ],
    ids=range(12),
)
async def test_what_is_wrong_in_the_address_is_told_on_the_page(console: Console, query: str) -> None:
    await console.stored()
    page = await console.page(f"/executions?{query}", 400)
    assert 'role="alert"' in page
    assert "<script>alert" not in page
    assert not ids_in(page)
    assert "data-live=" not in page


@pytest.mark.parametrize(
    "query",
    [
        "function=%00",
        "function=" + quote("' OR 1=1 --"),
        "parent=%ff",
        "executed_by=" + "x" * 4_000,
        "metadata.%00=%00",
        "after=cfffffffffffffff",
        "before=c0",
        "after=c5&before=c1",
        "scheduled_from=0001-01-01&scheduled_to=9999-12-31",
        "metadata_key=%00",
        "focus=filter&metadata_key=" + "k" * 1_000,
        "&&&",
    ],
    ids=range(12),
)
async def test_what_is_strange_finds_nothing_and_breaks_nothing(console: Console, query: str) -> None:
    await console.stored()
    answer = await console.browser.get(f"/executions?{query}", follow_redirects=True)
    assert answer.status_code == 200, answer.text


async def test_all_there_are_are_counted_whatever_time_there_is(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "LONGEST_COUNT_SECONDS", -1.0)
    monkeypatch.setattr(finding, "_FIRST_STRETCH", 1)
    await many(console, 300)
    for query in ("", "?function=compute", "?status=created&status=failed"):
        assert re.search(r'id="count" data-part>\s*300\s*<', await console.page(f"/executions{query}"))


async def test_a_form_with_empty_fields_leads_to_a_short_address(console: Console) -> None:
    answer = await console.browser.get("/executions?status=failed&function=&parent=&metadata_key=")
    assert (answer.status_code, answer.headers["location"]) == (303, "/executions?status=failed")
    answer = await console.browser.get("/executions?function=&parent=")
    assert answer.headers["location"] == "/executions"


async def test_metadata_is_chosen_key_first_and_then_from_the_values_seen(console: Console) -> None:
    await console.stored(metadata={"user": "12", "tenant": "acme"})
    await console.stored(metadata={"user": "13"})
    page = await console.page("/executions")
    assert '<option value="tenant">' in page
    assert '<option value="12">' not in page
    page = await console.page("/executions?metadata_key=user")
    assert 'name="metadata.user"' in page
    assert '<option value="12">' in page
    assert '<option value="acme">' not in page
    answer = await console.browser.get("/executions?metadata_key=user&metadata.user=12")
    assert answer.headers["location"] == "/executions?metadata.user=12"


async def test_arguments_are_previewed_with_their_secrets_masked(console: Console) -> None:
    await console.stored("greet_user", arguments=json.dumps({"args": [7], "kwargs": {"api_key": "hunter2"}}).encode())
    page = await console.page("/executions")
    assert "hunter2" not in page
    assert html.escape('7, api_key="•••"', quote=True).replace("&quot;", "&#34;") in page


async def test_large_arguments_are_only_measured(console: Console) -> None:
    await console.stored(arguments=json.dumps({"args": [], "kwargs": {"token": "s" * 1_000_000}}).encode())
    page = await console.page("/executions")
    assert "… 1.0 MB" in page
    assert "ssss" not in page


async def test_a_name_that_is_markup_is_text(console: Console) -> None:
    evil = "<img src=x onerror=alert(1)>"
    await console.stored(evil, metadata={'"><b>': "</option><script>"}, arguments=json.dumps([evil]).encode())
    for path in ("/executions", "/executions?metadata_key=" + quote('"><b>'), "/executions?function=" + quote(evil)):
        page = await console.page(path)
        assert "<img src=x" not in page
        assert "<script>" not in page
        assert '"><b>' not in page


async def test_children_of_an_execution_are_listed_by_state(console: Console) -> None:
    parent = await console.in_state("started")
    child = await console.stored(parent=parent)
    await console.stored()
    assert ids_in(await console.page(f"/executions?parent={parent}&status=created")) == [child]


async def test_the_filter_is_open_where_a_key_asked_for_it(console: Console) -> None:
    assert '<details class="filters" open>' in await console.page("/executions?focus=filter")
    assert '<details class="filters">' in await console.page("/executions")
