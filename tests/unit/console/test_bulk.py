"""Many executions changed at once: asked once, counted, done in steps."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Callable
from typing import Any

import pytest

from defer_cli.changes import MOST_AT_ONCE
from defer_cli.console import bulk
from defer_cli.console.sweeps import MOST_RUNNING
from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.errors import StoreFull
from defer_cli.domain.ids import random_id
from defer_cli.store.sqlite import finding
from tests.unit.api.harness import UNKNOWN
from tests.unit.console.harness import Console

CHANGE = "/executions/change"
DEADLINE_SECONDS = 20.0

Pairs = list[tuple[str, str]]


async def many(console: Console, count: int, function: str = "compute") -> list[str]:
    """Store calls; return their ids, oldest first."""
    calls = [Enqueue(random_id(), function, b"[]", console.clock.now_us) for _ in range(count)]
    for start in range(0, count, 500):
        await console.backend.insert(calls[start : start + 500])
    return [call.id for call in calls]


def fields_of(page: str) -> Pairs:
    """Return the fields that a page asks for sureness with."""
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)
    return [(html.unescape(name), html.unescape(value)) for name, value in found]


async def asked(console: Console, *pairs: tuple[str, str]) -> str:
    answer = await console.submit(CHANGE, *pairs)
    assert answer.status_code == 200, answer.text
    return answer.text


async def agreed(console: Console, *pairs: tuple[str, str]) -> str:
    """Ask for a change and be sure of it; return where that leads."""
    answer = await console.submit(CHANGE, *fields_of(await asked(console, *pairs)), ("sure", "1"))
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def page_until(console: Console, path: str, is_reached: Callable[[str], bool]) -> str:
    """Return a page once it shows what is waited for."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            page = await console.page(path)
            if is_reached(page):
                return page
            await asyncio.sleep(0)


async def over(console: Console, path: str) -> str:
    """Return the page of a sweep once it is over."""
    return await page_until(console, path, lambda page: "/stop" not in page)


async def states(console: Console) -> dict[str, int]:
    told = await console.backend.ask("counts")
    totals: dict[str, int] = {}
    for of_function in told.values():
        for state, count in of_function.items():
            totals[state] = totals.get(state, 0) + count
    return totals


async def total(console: Console) -> int:
    return sum((await states(console)).values())


class Gate:
    """Changes that are asked for, and not made before it is open."""

    def __init__(self, console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_asked, self.is_open = asyncio.Event(), asyncio.Event()
        ask = console.backend.ask

        async def waits(name: str, **parameters: Any) -> Any:
            if name in ("rerun", "cancel"):
                self.is_asked.set()
                await self.is_open.wait()
            return await ask(name, **parameters)

        monkeypatch.setattr(console.backend, "ask", waits)


@pytest.fixture
def gate(console: Console, monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(console, monkeypatch)


async def test_a_change_asks_once_with_the_number(console: Console) -> None:
    ids = await many(console, 3)
    page = await asked(console, ("do", "cancel"), *[("id", id) for id in ids[:2]])
    assert "Cancel 2 executions?" in page
    assert await states(console) == {"created": 3}


async def test_those_selected_are_changed_and_the_list_is_as_it_was(console: Console) -> None:
    ids = await many(console, 3)
    location = await agreed(
        console, ("do", "cancel"), ("back", "function=compute&after=c9"), *[("id", id) for id in ids[:2]]
    )
    assert location == "/executions?function=compute&after=c9&done=many-cancelled&n=2"
    assert "2 executions cancelled." in await console.page(location)
    assert await states(console) == {"created": 1, "cancelled": 2}


async def test_what_comes_back_is_a_page_of_ours(console: Console) -> None:
    (id,) = await many(console, 1)
    location = await agreed(console, ("do", "rerun"), ("id", id), ("back", "//evil.example/?x=\r\ny"))
    assert location.startswith("/executions?")
    assert "\n" not in location


async def test_what_was_selected_twice_is_changed_once(console: Console) -> None:
    (id,) = await many(console, 1)
    await agreed(console, ("do", "rerun"), ("id", id), ("id", id))
    assert await total(console) == 2


async def test_what_is_refused_is_counted_with_its_reason(console: Console) -> None:
    ended, waiting = await console.in_state("succeed"), await console.in_state("created")
    ids = [ended, waiting, UNKNOWN, "nonsense", f"{ended}.1"]
    page = await console.page(await agreed(console, ("do", "cancel"), *[("id", id) for id in ids]))
    assert "<dd>1</dd>" in page
    assert '1 <span class="dim">succeeded already' in page
    assert '2 <span class="dim">gone: pruned, or never there' in page
    assert "is one attempt, which cannot be changed" in page


async def test_abort_cancels_what_waits_and_aborts_what_runs(console: Console) -> None:
    running = await console.in_state("started")
    waiting = await console.in_state("created")
    location = await agreed(console, ("do", "abort"), ("id", running), ("id", waiting))
    assert location == "/executions?done=many-aborted&n=2"
    assert await states(console) == {"aborting": 1, "cancelled": 1}


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([("do", "cancel")], "No execution is selected."),
        ([("do", "explode"), ("id", "x")], "do: it is none of rerun, cancel and abort"),
        ([("id", "x")], "do: it is none of rerun, cancel and abort"),
        (
            [("do", "cancel"), ("scope", "all"), ("stauts", "failed")],
            "There is no filter “stauts”. Did you mean status?",
        ),
        ([("do", "cancel"), ("scope", "all"), ("border", "zz")], "border: "),
    ],
    ids=["nobody", "unknown", "none", "filter", "border"],
)
async def test_a_form_that_is_wrong_is_told_and_changes_nothing(console: Console, pairs: Pairs, words: str) -> None:
    await many(console, 1)
    answer = await console.submit(CHANGE, *pairs, ("sure", "1"))
    assert answer.status_code == 400
    assert words in html.unescape(answer.text)
    assert await states(console) == {"created": 1}


@pytest.mark.parametrize("do", ["rerun", "cancel", "abort"])
async def test_where_nothing_matches_there_is_nothing_to_be_sure_of(console: Console, do: str) -> None:
    await console.in_state("succeed")
    answer = await console.submit(CHANGE, ("do", do), ("scope", "all"), ("status", "failed"))
    assert answer.status_code == 409
    assert "Nothing that matches can be" in answer.text


async def test_all_that_match_are_told_by_what_they_match(console: Console) -> None:
    await many(console, 2)
    await many(console, 1, "greet_user")
    page = await asked(console, ("do", "cancel"), ("scope", "all"), ("function", "compute"))
    assert "Cancel 2 executions?" in page
    assert "These are all that match: function compute()." in page


async def test_what_takes_long_to_count_is_counted_in_steps(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    await many(console, 600)
    monkeypatch.setattr(finding, "LONGEST_COUNT_SECONDS", -1.0)
    monkeypatch.setattr(finding, "_FIRST_STRETCH", 1)
    filters = {"came_from": ["call"]}
    assert (await console.backend.ask("count", filters=filters))["is_more"]
    assert "Cancel 600 executions?" in await asked(console, ("do", "cancel"), ("scope", "all"), ("came_from", "call"))


async def test_what_could_not_be_counted_in_time_is_said_so(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    await many(console, 600)
    monkeypatch.setattr(finding, "LONGEST_COUNT_SECONDS", -1.0)
    monkeypatch.setattr(finding, "_FIRST_STRETCH", 1)
    monkeypatch.setattr(bulk, "_PATIENCE_SECONDS", -1.0)
    pairs = [("do", "cancel"), ("scope", "all"), ("came_from", "call")]
    assert re.search(r"Cancel [0-9]+\+ executions\?", await asked(console, *pairs))
    await many(console, 600, "greet_user")
    assert "Cancel all executions that match?" in await asked(console, *pairs, ("function", "compute"))


async def test_three_pages_are_cancelled_step_by_step(console: Console) -> None:
    count = 1_000 + MOST_AT_ONCE
    await many(console, count)
    await many(console, 1, "greet_user")
    location = await agreed(console, ("do", "cancel"), ("scope", "all"), ("function", "compute"))
    assert location.startswith("/executions/changes/")
    page = await over(console, location)
    assert "Done" in page
    assert f"Cancel {count:,} executions" in page
    assert await states(console) == {"created": 1, "cancelled": count}


async def test_a_rerun_of_all_leaves_reruns_alone_and_keeps_the_order(console: Console) -> None:
    ids = await many(console, 2 * MOST_AT_ONCE + 1)
    page = await over(console, await agreed(console, ("do", "rerun"), ("scope", "all")))
    assert f"<dd>{len(ids):,}</dd>" in page
    assert await total(console) == 2 * len(ids)
    newest = await console.backend.ask("executions", page={"first": 3}, filters={})
    assert [one["rerun_of"] for one in newest["items"]] == ids[:-4:-1]


async def test_what_was_called_since_it_was_asked_for_is_left_alone(console: Console) -> None:
    await many(console, 2)
    page = await asked(console, ("do", "cancel"), ("scope", "all"))
    (late,) = await many(console, 1)
    await console.submit(CHANGE, *fields_of(page), ("sure", "1"))
    assert await states(console) == {"created": 1, "cancelled": 2}
    assert (await console.get(late)).state == "created"


async def test_a_span_from_now_means_the_moment_it_was_asked_at(console: Console) -> None:
    await many(console, 1)
    console.clock.forward(3_600)
    page = await asked(console, ("do", "cancel"), ("scope", "all"), ("scheduled_from", "2h"))
    console.clock.forward(3 * 3_600)
    await console.submit(CHANGE, *fields_of(page), ("sure", "1"))
    assert await states(console) == {"cancelled": 1}


async def test_all_are_aborted_after_what_waits_is_cancelled(console: Console) -> None:
    await console.in_state("started")
    await many(console, 3)
    await console.in_state("discarded")
    assert "Cancel or abort 4 executions?" in await asked(console, ("do", "abort"), ("scope", "all"))
    await agreed(console, ("do", "abort"), ("scope", "all"))
    assert await states(console) == {"aborting": 1, "cancelled": 3, "discarded": 1}


async def test_a_sweep_shows_how_far_it_is_and_where_it_is_found_again(console: Console, gate: Gate) -> None:
    await many(console, MOST_AT_ONCE + 1)
    location = await agreed(console, ("do", "cancel"), ("scope", "all"))
    page = await console.page(location)
    assert "On its way" in page
    assert "data-live=" in page
    assert "keeps it in memory" in page
    assert f'href="{location}"' in await console.page("/executions")
    gate.is_open.set()
    assert "data-live=" not in await over(console, location)
    assert f'href="{location}"' not in await console.page("/executions")


async def test_a_sweep_is_stopped_after_the_step_under_way(console: Console, gate: Gate) -> None:
    await many(console, 3 * MOST_AT_ONCE)
    location = await agreed(console, ("do", "cancel"), ("scope", "all"))
    await asyncio.wait_for(gate.is_asked.wait(), DEADLINE_SECONDS)
    answer = await console.submit(f"{location}/stop")
    assert answer.headers["location"] == location
    gate.is_open.set()
    assert "Stopped: the others are as they were." in await over(console, location)
    assert await states(console) == {"created": 2 * MOST_AT_ONCE, "cancelled": MOST_AT_ONCE}


async def test_a_sweep_ends_with_its_runner_and_says_nothing(
    console: Console, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    await many(console, 3 * MOST_AT_ONCE)
    location = await agreed(console, ("do", "cancel"), ("scope", "all"))
    await asyncio.wait_for(gate.is_asked.wait(), DEADLINE_SECONDS)
    console.backend.streams.closing.set()
    gate.is_open.set()
    await over(console, location)
    assert await states(console) == {"created": 2 * MOST_AT_ONCE, "cancelled": MOST_AT_ONCE}
    assert not caplog.records


async def test_only_a_few_are_on_their_way_at_once(console: Console, gate: Gate) -> None:
    await many(console, MOST_AT_ONCE + 1)
    for _ in range(MOST_RUNNING):
        await agreed(console, ("do", "rerun"), ("scope", "all"))
    answer = await console.submit(CHANGE, ("do", "rerun"), ("scope", "all"), ("sure", "1"))
    assert answer.status_code == 409
    assert "on their way already" in answer.text
    gate.is_open.set()


@pytest.mark.parametrize(
    ("error", "words"),
    [(StoreFull("the disk is full"), "It broke off: the disk is full"), (OSError("?"), "its log says what")],
    ids=["told", "fault"],
)
async def test_a_step_that_fails_leaves_the_others_as_they_are(
    console: Console, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    await many(console, 3 * MOST_AT_ONCE)
    ask, steps = console.backend.ask, 0

    async def fails(name: str, **parameters: Any) -> Any:
        nonlocal steps
        if name == "cancel":
            steps += 1
            if steps == 2:
                raise error
        return await ask(name, **parameters)

    monkeypatch.setattr(console.backend, "ask", fails)
    page = await over(console, await agreed(console, ("do", "cancel"), ("scope", "all")))
    assert words in page
    assert await states(console) == {"created": 2 * MOST_AT_ONCE, "cancelled": MOST_AT_ONCE}


async def test_a_sweep_that_nobody_knows_is_told(console: Console) -> None:
    assert "There is no such change." in await console.page(f"/executions/changes/{UNKNOWN}", 404)
    assert (await console.submit(f"/executions/changes/{UNKNOWN}/stop")).status_code == 404
