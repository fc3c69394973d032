"""What an execution printed: whole, a line at a time, and followed as events."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
import pytest

from defer_cli.api import streams
from defer_cli.api.app import build_app
from defer_cli.domain.errors import StoreError
from defer_cli.domain.log_chunk import LogChunk
from defer_cli.domain.settle import Running
from defer_cli.web import open_streams, reading
from tests.store.harness import retry, succeed
from tests.unit.api.follower import DEADLINE_SECONDS, Event, Follower, events, reading_events
from tests.unit.api.harness import UNKNOWN, V2, Api

MOMENT = "2026-01-01T12:00:00Z"
MOMENT_US = 1_767_268_800_000_000


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_LOOK_SECONDS", 0.005)
    monkeypatch.setattr(streams, "_LATE_SECONDS", 0.05)


async def log(api: Api, running: Running, *texts: str, part: int = 0, dropped: int = 0) -> None:
    """Print lines of an attempt."""
    lines = msgspec.msgpack.encode([(MOMENT_US, "stdout", text) for text in texts])
    chunk = LogChunk(running.seq, running.attempt, part, lines, dropped)
    await api.writer.submit(lambda store: store.append_logs([chunk]))


def line(text: str, *, attempt: int = 1) -> dict[str, Any]:
    return {"attempt": attempt, "at": MOMENT, "stream": "stdout", "text": text}


async def started(api: Api) -> Running:
    return await api.start(await api.stored())


async def in_two_attempts(api: Api) -> str:
    """Return the id of an execution that printed a line in each of two attempts."""
    first = await started(api)
    await log(api, first, "one")
    await api.move(retry(first))
    api.clock.forward(2)
    second = await api.start(first.id)
    await log(api, second, "two")
    await api.move(succeed(second))
    return first.id


async def told(api: Api, path: str, **headers: str) -> Any:
    answer = await api.http.get(f"{V2}/executions/{path}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json() if answer.headers["content-type"] == "application/json" else answer.text


# Whole.


async def test_a_log_is_told_attempt_by_attempt(api: Api) -> None:
    id = await in_two_attempts(api)

    assert await told(api, f"{id}/logs") == {"data": [line("one"), line("two", attempt=2)]}


@pytest.mark.parametrize("path", ["{id}.2/logs", "{id}/logs?attempt=2", "{id}.2/logs?attempt=2"])
async def test_one_attempt_is_told_alone(api: Api, path: str) -> None:
    id = await in_two_attempts(api)

    assert await told(api, path.format(id=id)) == {"data": [line("two", attempt=2)]}


async def test_what_has_printed_nothing_has_an_empty_log(api: Api) -> None:
    assert await told(api, f"{await api.stored()}/logs") == {"data": []}


async def test_lines_are_told_as_text_with_nothing_in_them_that_a_terminal_obeys(api: Api) -> None:
    running = await started(api)
    await log(api, running, "plain", "\x1b[31mred\r\u202e")
    text = await told(api, f"{running.id}/logs", accept="text/plain")

    assert text == f"{MOMENT} 1 stdout plain\n{MOMENT} 1 stdout \\x1b[31mred\\r\\u202e\n"


async def test_lines_that_were_dropped_are_told(api: Api) -> None:
    running = await started(api)
    await log(api, running, "one", dropped=1_234)
    data = (await told(api, f"{running.id}/logs"))["data"]

    assert [(one["stream"], one["text"]) for one in data] == [("stdout", "one"), ("defer", "1,234 lines dropped")]


async def test_dropped_lines_of_an_unknown_moment_are_told_in_both_forms(api: Api) -> None:
    running = await started(api)
    await log(api, running, dropped=1)

    assert (await told(api, f"{running.id}/logs"))["data"][0]["at"] is None
    assert await told(api, f"{running.id}/logs", accept="text/plain") == "- 1 defer 1 lines dropped\n"


@pytest.mark.parametrize("accept", ["application/json", "text/plain"])
async def test_a_long_log_is_told_whole_in_pieces(api: Api, accept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_MOST_BYTES", 100)
    running = await started(api)
    for part in range(20):
        await log(api, running, *[f"{part}.{number}" for number in range(5)], part=part)
    text = await told(api, f"{running.id}/logs", accept=accept)
    if accept == "application/json":
        texts = [one["text"] for one in text["data"]]
    else:
        texts = [one.rpartition(" ")[2] for one in text.splitlines()]

    assert texts == [f"{part}.{number}" for part in range(20) for number in range(5)]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{UNKNOWN}/logs", 404),
        ("no-id/logs", 404),
        ("{id}.3/logs", 404),
        ("{id}.02/logs", 404),
        ("{id}/logs?attempt=3", 404),
        ("{id}/logs?attempt=x", 400),
        ("{id}/logs?attempt=9999999999", 400),
        ("{id}.2/logs?attempt=1", 400),
        ("{id}/logs?follow=perhaps", 400),
        (f"{UNKNOWN}/logs?follow", 404),
    ],
)
async def test_what_is_not_there_is_404_and_what_means_nothing_400(api: Api, path: str, status: int) -> None:
    id = await in_two_attempts(api)
    answer = await api.ask("GET", f"executions/{path.format(id=id)}")

    assert answer.status_code == status
    assert answer.json()["message"]


# Followed.


def following(api: Api, id: str, app: Any = None, **headers: str) -> AbstractAsyncContextManager[tuple[Follower, Any]]:
    """Follow a log for the block."""
    return reading_events(app or build_app(api.backend), f"{V2}/executions/{id}/logs?follow", **headers)


async def followed(api: Api, id: str, **headers: str) -> list[Event]:
    """Return the events of a log to its end."""
    async with following(api, id, **headers) as (follower, _):
        await follower.until("event: end")
    return events(follower.text)


async def test_a_log_is_followed_over_a_retry_to_the_end(api: Api) -> None:
    first = await started(api)
    await log(api, first, "one")
    async with following(api, first.id) as (follower, _):
        await follower.until('"one"')
        await log(api, first, "two", part=1)
        await follower.until('"two"')
        await api.move(retry(first))
        api.clock.forward(2)
        second = await api.start(first.id)
        await log(api, second, "three")
        await follower.until('"three"')
        await api.move(succeed(second))
        await follower.until("event: end")

    assert (follower.status, follower.headers[b"content-type"]) == (200, b"text/event-stream; charset=utf-8")
    assert events(follower.text) == [
        Event("log", "1:0", [line("one")]),
        Event("log", "1:1", [line("two")]),
        Event("log", "1:1,2:0", [line("three", attempt=2)]),
        Event("end", "end", {"id": first.id, "function_name": "compute", "state": "succeed"}),
    ]


async def test_lines_that_come_after_the_end_are_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_LATE_SECONDS", 0.5)
    running = await started(api)
    async with following(api, running.id) as (follower, _):
        await api.move(succeed(running))
        await log(api, running, "late")
        await follower.until("event: end")

    assert [event.kind for event in events(follower.text)] == ["log", "end"]


async def test_lines_that_the_last_look_finds_are_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_LOOK_SECONDS", 0.2)
    monkeypatch.setattr(streams, "_LATE_SECONDS", 0.0)
    running = await started(api)
    await api.move(succeed(running))
    async with following(api, running.id) as (follower, _):
        await follower.until("retry: ")
        await log(api, running, "late")
        await follower.until("event: end")

    assert [event.kind for event in events(follower.text)] == ["log", "end"]


async def test_who_comes_back_is_told_what_it_has_not_seen(api: Api) -> None:
    id = await in_two_attempts(api)

    assert [event.content for event in await followed(api, id, last_event_id="1:0")][:-1] == [[line("two", attempt=2)]]
    assert [event.kind for event in await followed(api, id, last_event_id="1:0,2:0")] == ["end"]


async def test_lines_of_an_attempt_that_come_late_are_told_though_the_next_one_has_begun(api: Api) -> None:
    id = await in_two_attempts(api)

    assert [event.content for event in await followed(api, id, last_event_id="2:0")][:-1] == [[line("one")]]


async def test_who_comes_back_after_the_end_is_told_to_stay_away(api: Api) -> None:
    id = await in_two_attempts(api)
    answer = await api.http.get(f"{V2}/executions/{id}/logs?follow", headers={"last-event-id": "end"})

    assert answer.status_code == 204


@pytest.mark.parametrize("last", ["x", "1", "1:", ":1", "1:1,", "1:1;2:2", "-1:1", "1:" + "9" * 30, "1:1," * 1_001])
async def test_an_id_that_no_event_has_is_400(api: Api, last: str) -> None:
    id = await in_two_attempts(api)
    answer = await api.http.get(f"{V2}/executions/{id}/logs?follow", headers={"last-event-id": last})

    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Last-Event-ID")


async def test_one_attempt_is_followed_to_its_own_end(api: Api) -> None:
    first = await started(api)
    await log(api, first, "one")
    await api.move(retry(first))
    told = await followed(api, f"{first.id}.1")

    assert told[-1].content == {"id": f"{first.id}.1", "function_name": "compute", "state": "failed"}


async def test_a_quiet_stream_is_kept_alive(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "KEEP_ALIVE_SECONDS", 0.01)
    async with following(api, await api.stored()) as (follower, _):
        await follower.until(": keep-alive\n\n: keep-alive\n\n")

    assert events(follower.text) == []


async def test_a_stream_ends_when_the_server_is_about_to_stop(api: Api) -> None:
    async with following(api, await api.stored()) as (follower, _):
        await follower.until("retry: ")
        await api.backend.streams.close()

        assert (follower.was_ended, events(follower.text)) == (True, [])


async def test_a_stream_ends_when_the_store_fails(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async with following(api, await api.stored()) as (follower, task):
        await follower.until("retry: ")

        async def ask(name: str, parameters: object) -> None:
            raise StoreError("damaged")

        monkeypatch.setattr(api.backend, "_ask", ask)
        await asyncio.wait_for(asyncio.shield(task), DEADLINE_SECONDS)

        assert follower.was_ended


async def test_a_fault_of_ours_in_a_stream_is_not_hidden(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(name: str, parameters: object) -> None:
        raise ZeroDivisionError

    async def follow() -> None:
        async with following(api, await api.stored()) as (follower, task):
            await follower.until("retry: ")
            monkeypatch.setattr(api.backend, "_ask", ask)
            await asyncio.wait_for(asyncio.shield(task), DEADLINE_SECONDS)

    with pytest.raises(ZeroDivisionError):
        await follow()


async def test_there_are_so_many_streams_and_who_leaves_makes_room(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_streams, "MOST_STREAMS", 1)
    app = build_app(api.backend)
    id = await api.stored()
    async with following(api, id, app) as (first, _):
        await first.until("retry: ")
        async with following(api, id, app) as (second, _):
            await second.until("too many")
    async with following(api, id, app) as (third, _):
        await third.until("retry: ")

    assert (first.status, second.status, third.status) == (200, 503, 200)
    assert second.headers[b"retry-after"] == b"5"


async def test_a_head_request_opens_no_stream(api: Api) -> None:
    answer = await api.http.head(f"{V2}/executions/{await api.stored()}/logs?follow")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


async def test_the_stop_does_not_wait_for_a_caller_that_does_not_read(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_streams, "_END_SECONDS", 0.01)
    async with following(api, await api.stored()) as (follower, task):
        await follower.until("retry: ")
        follower.may_read.clear()
        await api.backend.streams.close()
        was_ended = task.done()
        follower.may_read.set()

    assert (was_ended, follower.was_ended) == (False, True)
