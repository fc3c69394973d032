"""The runner's socket: where applications and commands of this machine come in."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
from typing import Any

from msgspec import Struct

from defer_cli.domain.errors import DeferError
from defer_cli.engine.requests import Requests
from defer_cli.engine.waiting import Waiting
from defer_cli.link.frames import PROTOCOL, Failure, FrameReader, Hello, ToRunner, encode_frame
from defer_cli.link.outbox import Outbox
from defer_cli.link.reading import Reading
from defer_cli.link.sockets import BACKLOG, is_allowed_peer

_log = logging.getLogger(__name__)
MOST_CONNECTIONS = 1_000
_DESCRIPTORS_EACH = 2
_OTHER_DESCRIPTORS = 256


class Door:
    """Listens on a socket that is bound already; callers wait in its backlog until ``open``."""

    def __init__(self, listener: socket.socket, requests: Requests, waiting: Waiting) -> None:
        self._listener = listener
        self._requests = requests
        self._waiting = waiting
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Answer callers from now on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self._connect, sock=self._listener, backlog=BACKLOG)

    def _connect(self) -> _Connection:
        return _Connection(self._requests, self._waiting, self._connections)

    async def close(self) -> None:
        """Take no more callers and hang up on the others."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.hang_up()


class _Connection(Reading):
    """One caller: says hello, then sends requests, answered by number in any order."""

    def __init__(self, requests: Requests, waiting: Waiting, connections: set[_Connection]) -> None:
        self._requests = requests
        self._waiting = waiting
        self._connections = connections
        self._reader = FrameReader(ToRunner)
        self._is_greeted = False
        self._transport: asyncio.Transport
        self._outbox: Outbox | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        end = transport.get_extra_info("socket")
        why = "there are too many, or it is another user's"
        try:
            if len(self._connections) < _most_connections() and is_allowed_peer(end):
                self._outbox = Outbox(end, asyncio.get_running_loop())
        except OSError as error:
            why = str(error)
        if self._outbox is None:
            _log.warning("a caller was turned away from the socket: %s", why)
            self._transport.abort()
            return
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._reader.feed(data):
                self._take(frame)
        except DeferError as error:
            _log.warning("a caller sent what could not be read: %s", error)
            self._transport.abort()

    def _take(self, frame: Any) -> None:
        if self._is_greeted:
            self._requests.take(frame, self)
            return
        if type(frame) is not Hello or frame.protocol != PROTOCOL:
            self.send(
                Failure(
                    0, "DeferError", "this runner speaks another protocol", mend="use one version of defer everywhere"
                )
            )
            self._transport.close()
            return
        self._is_greeted = True
        self.send(Hello(PROTOCOL, os.getpid()))

    def send(self, message: Struct) -> None:
        """Send a frame; any thread may call."""
        if self._outbox is not None:
            self._outbox.send(encode_frame(message))

    send_from_thread = send

    def hang_up(self) -> None:
        """Close the connection."""
        self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        if self._outbox is not None:
            self._outbox.close()
        if self._is_greeted:
            self._waiting.drop(self)


def _most_connections() -> int:
    """Return how many callers may come in: the store, the inbox and the workers need descriptors too."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return min(MOST_CONNECTIONS, max(limit - _OTHER_DESCRIPTORS, 0) // _DESCRIPTORS_EACH)
