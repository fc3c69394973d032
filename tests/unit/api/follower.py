"""Who reads server-sent events, as an ASGI server would hand them over, and leaves when it likes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

DEADLINE_SECONDS = 10.0


class Event(NamedTuple):
    """An event as a browser would hand it over."""

    kind: str
    id: str
    content: Any


def events(text: str) -> list[Event]:
    found = []
    for block in text.split("\n\n"):
        fields = dict(one.split(": ", 1) for one in block.splitlines() if not one.startswith(":"))
        if "event" in fields:
            found.append(Event(fields["event"], fields["id"], json.loads(fields["data"])))
    return found


class Follower:
    """Who reads an event stream, and leaves when it likes."""

    def __init__(self) -> None:
        self.text = ""
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.has_left = asyncio.Event()
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.was_ended = False
        self._said = asyncio.Event()

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            self.text += message["body"].decode()
            self.was_ended = not message.get("more_body", False)
        self._said.set()
        await self.may_read.wait()

    async def receive(self) -> Any:
        await self.has_left.wait()
        return {"type": "http.disconnect"}

    async def until(self, words: str) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while words not in self.text:
                self._said.clear()
                await self._said.wait()


@asynccontextmanager
async def reading_events(app: Any, path: str, **headers: str) -> AsyncIterator[tuple[Follower, asyncio.Future[None]]]:
    """Read the events of a path for the block."""
    address, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": address,
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    follower = Follower()
    task: asyncio.Future[None] = asyncio.ensure_future(app(scope, follower.receive, follower.send))
    try:
        yield follower, task
    finally:
        follower.has_left.set()
        await asyncio.wait_for(task, DEADLINE_SECONDS)
