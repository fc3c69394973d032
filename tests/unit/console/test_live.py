"""A page that stays open."""

from __future__ import annotations

import asyncio
import html
import re
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
import pytest

from defer_cli.console import live
from defer_cli.domain.errors import StoreError
from defer_cli.domain.log_chunk import LogChunk
from defer_cli.domain.settle import Running
from tests.store.harness import retry, succeed
from tests.unit.api.follower import DEADLINE_SECONDS, Follower, events, reading_events
from tests.unit.console.harness import Console

MOMENT_US = 1_767_268_800_000_000


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_LOOK_SECONDS", "_AT_MOST_EVERY_SECONDS", "_AT_LEAST_EVERY_SECONDS"):
        monkeypatch.setattr(live, name, 0.005)
    monkeypatch.setattr(live, "_LATE_SECONDS", 0.05)


async def printed(console: Console, running: Running, *texts: str, part: int = 0) -> None:
    lines = msgspec.msgpack.encode([(MOMENT_US, "stdout", text) for text in texts])
    chunk = LogChunk(running.seq, running.attempt, part, lines, 0)
    await console.writer.submit(lambda store: store.append_logs([chunk]))


async def address_of(console: Console, path: str) -> str:
    """Return the address that a page follows itself with."""
    found = re.search(r'data-live="([^"]+)"', await console.page(path))
    assert found
    return html.unescape(found[1])


def following(console: Console, address: str, **headers: str) -> AbstractAsyncContextManager[tuple[Follower, Any]]:
    return reading_events(console.app, address, **headers)


def looks(follower: Follower) -> list[Any]:
    return [event.content for event in events(follower.text) if event.kind == "look"]


async def test_a_page_that_shows_all_there_is_is_told_nothing(console: Console) -> None:
    running = await console.start(await console.stored())
    await printed(console, running, "one")
    address = await address_of(console, f"/executions/{running.id}?tab=metadata")
    async with following(console, address) as (follower, _):
        await follower.until("retry: ")
        await console.move(succeed(running))
        await follower.until("event: rest")

    assert all("succeeded" in look["parts"]["head"] for look in looks(follower))


async def test_only_what_has_changed_is_sent(console: Console) -> None:
    id = await console.stored()
    address = await address_of(console, f"/executions/{id}?tab=metadata")
    async with following(console, address) as (follower, _):
        await follower.until("retry: ")
        await console.start(id)
        await follower.until("running")

    assert "tab" not in looks(follower)[-1]["parts"]


async def test_the_log_goes_on_where_the_page_ends(console: Console) -> None:
    running = await console.start(await console.stored())
    await printed(console, running, "one")
    address = await address_of(console, f"/executions/{running.id}?tab=logs")
    async with following(console, address) as (follower, _):
        await printed(console, running, "two <b>", part=1)
        await follower.until("two ")
        await console.move(retry(running))
        console.clock.forward(2)
        second = await console.start(running.id)
        await printed(console, second, "three")
        await follower.until("three")
        await console.move(succeed(second))
        await follower.until("event: rest")

    told = "".join(look["log"] for look in looks(follower))
    assert re.findall(r'log-text">([^<]*)<', told) == ["two &lt;b&gt;", "three"]


async def test_who_comes_back_is_told_what_it_has_not_seen(console: Console) -> None:
    running = await console.start(await console.stored())
    await printed(console, running, "one")
    address = await address_of(console, f"/executions/{running.id}?tab=logs")
    await printed(console, running, "two", part=1)
    async with following(console, address) as (first, _):
        await first.until("two")
    await printed(console, running, "three", part=2)
    await console.move(succeed(running))
    async with following(console, address, last_event_id=events(first.text)[-1].id) as (again, _):
        await again.until("event: rest")

    assert re.findall(r'log-text">([^<]*)<', "".join(look["log"] for look in looks(again))) == ["three"]


@pytest.mark.parametrize("last", ["", "x", "~", "a~1:", "a~" + "1:1," * 1_001, "~1:1~"])
async def test_a_place_that_is_none_begins_anew(console: Console, last: str) -> None:
    running = await console.start(await console.stored())
    await printed(console, running, "one")
    await console.move(succeed(running))
    async with following(console, f"/executions/{running.id}?tab=logs&live=", last_event_id=last) as (follower, _):
        await follower.until("event: rest")

    assert "one" in looks(follower)[0]["log"]


async def test_a_store_that_does_not_answer_for_a_while_ends_nothing(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await console.stored()
    ask = console.backend._ask
    async with following(console, f"/executions/{id}?tab=metadata&live=") as (follower, _):
        await follower.until("event: look")

        async def refuse(name: str, parameters: object) -> None:
            was_refused.set()
            raise StoreError("it is busy")

        was_refused = asyncio.Event()
        monkeypatch.setattr(console.backend, "_ask", refuse)
        await asyncio.wait_for(was_refused.wait(), DEADLINE_SECONDS)
        monkeypatch.setattr(console.backend, "_ask", ask)
        await console.start(id)
        await follower.until("running")


async def test_a_page_ends_when_the_server_is_about_to_stop(console: Console) -> None:
    id = await console.stored()
    async with following(console, f"/executions/{id}?live=") as (follower, _):
        await follower.until("event: look")
        await console.backend.streams.close()
        assert follower.was_ended


async def test_an_execution_that_is_not_there_is_not_followed(console: Console) -> None:
    async with following(console, "/executions/none?live=") as (follower, _):
        await follower.until("It may have been pruned")
    assert follower.status == 404
