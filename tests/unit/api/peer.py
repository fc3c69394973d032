"""The other end of one HTTP connection, without a socket: what it sends is parsed, what it gets is kept."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from defer_cli.web.connection import Connection
from defer_cli.web.crowd import Crowd
from defer_cli.web.refusals import RefusalLog

HEAD = b"PUT /x HTTP/1.1\r\nHost: a\r\n"
WHOLE = HEAD + b"Content-Length: 2\r\n\r\n{}"


class Transport(asyncio.Transport):
    """What is written to a peer, who reads nothing of it by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.unread = 0
        self.is_closed = False
        self.is_aborted = False
        self.is_reading_paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def write_eof(self) -> None: ...

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = self.is_aborted = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        self.is_reading_paused = True

    def resume_reading(self) -> None:
        self.is_reading_paused = False

    def get_write_buffer_size(self) -> int:
        return self.unread


class Peer:
    """The other end of one connection; ``go`` lets the application answer."""

    def __init__(self, crowd: Crowd | None = None) -> None:
        self.go = asyncio.Event()
        self.go.set()
        self.asked: list[bytes] = []
        self.is_streaming = False
        self.crowd = crowd or Crowd()
        self.state = ServerState()
        config = Config(self._app, interface="asgi3", ws="none", lifespan="off", log_config=None)
        self.connection = Connection(config, self.state, self.crowd, RefusalLog())
        self.transport = Transport()
        self.connection.connection_made(self.transport)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        self.asked.append(body)
        await self.go.wait()
        headers = [] if self.is_streaming else [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok", "more_body": self.is_streaming})
        if self.is_streaming:
            await receive()

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            if part:
                self.connection.data_received(part)
            for _ in range(20):
                await asyncio.sleep(0)

    def later(self, seconds: float) -> None:
        self.connection.look(asyncio.get_running_loop().time() + seconds)

    async def hang_up(self) -> None:
        self.transport.is_closed = True
        self.connection.connection_lost(None)
        await self.send(b"")

    @property
    def statuses(self) -> list[int]:
        return [int(part[:3]) for part in self.transport.written.split(b"HTTP/1.1 ")[1:]]

    @property
    def last_error(self) -> Any:
        return json.loads(self.transport.written.rpartition(b"\r\n\r\n")[2])
