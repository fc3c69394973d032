"""Server-sent events: an answer that goes on until there is nothing more to tell, or nobody to tell it to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from defer_cli.domain.errors import DeferError
from defer_cli.web.open_streams import OpenStreams

EVENTS = "text/event-stream"
KEEP_ALIVE_SECONDS = 15.0
RECONNECT = b"retry: 1000\n\n"
KEEP_ALIVE = b": keep-alive\n\n"
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}

Say = Callable[[bytes], Awaitable[None]]
Tell = Callable[[Say], Awaitable[None]]


class EventStream(Response):
    """Ends with what it tells, when its caller is gone, and when the server is about to stop."""

    media_type = EVENTS

    def __init__(self, streams: OpenStreams, tell: Tell) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._streams = streams
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until there is a reason to end."""

        async def say(text: bytes) -> None:
            await send({"type": "http.response.body", "body": text, "more_body": True})

        async def tell() -> None:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await say(RECONNECT)
            await self._tell(say)

        with self._streams.counted():
            telling = asyncio.ensure_future(tell())
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


def event(kind: str, id: str, content: object) -> bytes:
    """Return one event; ``content`` becomes JSON, which has no line of its own to break out of."""
    return b"event: %b\nid: %b\ndata: %b\n\n" % (kind.encode(), id.encode(), msgspec.json.encode(content))


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
