"""Logs as server-sent events: from the last one a caller has seen until the execution has ended."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from defer_cli.api.failures import Refusal
from defer_cli.api.lines import line_objects
from defer_cli.domain.errors import DeferError
from defer_cli.web.open_streams import OpenStreams
from defer_cli.web.reading import Part, Reading

EVENTS = "text/event-stream"
ENDED = "end"
"""The id of the last event: who comes back with it is told that there is nothing more."""
KEEP_ALIVE_SECONDS = 15.0
_LOOK_SECONDS = 0.25
_LATE_SECONDS = 1.0  # an outcome is written before the last lines of its log
_RECONNECT = b"retry: 1000\n\n"
_KEEP_ALIVE = b": keep-alive\n\n"
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
_SEEN = re.compile(r"\d{1,9}:\d{1,9}(?:,\d{1,9}:\d{1,9}){0,999}", re.ASCII)


class EventStream(Response):
    """Ends with the execution, when its caller is gone, and when the server is about to stop."""

    media_type = EVENTS

    def __init__(self, streams: OpenStreams, reading: Reading, first: Sequence[Part]) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._streams = streams
        self._reading = reading
        self._first = first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until there is a reason to end."""
        with self._streams.counted():
            telling = asyncio.ensure_future(self._tell(send))
            ends: list[asyncio.Future[Any]] = [
                telling,
                asyncio.ensure_future(_until_gone(receive)),
                asyncio.ensure_future(self._streams.closing.wait()),
            ]
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for end in ends:
                    end.cancel()
                await asyncio.gather(*ends, return_exceptions=True)
            failure = None if telling.cancelled() else telling.exception()
            if failure is not None and not isinstance(failure, DeferError):
                raise failure
            await send({"type": "http.response.body", "body": b""})

    async def _tell(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        clock = asyncio.get_running_loop().time
        reading, parts = self._reading, self._first
        await _say(send, _RECONNECT)
        said_at, ended_at = clock(), 0.0
        while parts or not ended_at or clock() - ended_at < _LATE_SECONDS:
            if parts:
                await _say(send, _log_event(reading.seen, parts))
                said_at, ended_at = clock(), 0.0
            else:
                if reading.has_ended and not ended_at:
                    ended_at = clock()
                if clock() - said_at >= KEEP_ALIVE_SECONDS:
                    await _say(send, _KEEP_ALIVE)
                    said_at = clock()
                await asyncio.sleep(_LOOK_SECONDS * random.uniform(0.5, 1.5))  # or a hundred would look at once
            parts = await reading.news()
        await _say(
            send, _event("end", ENDED, {"id": reading.id, "function_name": reading.function, "state": reading.state})
        )


def seen_of(last: str) -> dict[int, int]:
    """Return what a caller has seen whose last event had this id; raise ``Refusal`` for what is no id of ours."""
    if not last:
        return {}
    if _SEEN.fullmatch(last) is None:
        raise Refusal(400, "it is no id of an event of this stream", where="Last-Event-ID")
    pairs = [pair.split(":") for pair in last.split(",")]
    return {int(attempt): int(number) for attempt, number in pairs}


def _log_event(seen: Mapping[int, int], parts: Sequence[Part]) -> bytes:
    """Return lines as one event. Its id says how far each attempt was told: the last lines of one may come late."""
    return _event("log", ",".join([f"{attempt}:{number}" for attempt, number in seen.items()]), line_objects(parts))


def _event(kind: str, id: str, content: object) -> bytes:
    return b"event: %b\nid: %b\ndata: %b\n\n" % (kind.encode(), id.encode(), msgspec.json.encode(content))


async def _say(send: Send, text: bytes) -> None:
    await send({"type": "http.response.body", "body": text, "more_body": True})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
