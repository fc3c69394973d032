"""The HTTP server inside the runner's loop: bound before anything starts, drained before anything stops."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from email.utils import formatdate
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from defer_cli.domain.errors import SettingError
from defer_cli.web.connection import Connection
from defer_cli.web.crowd import Crowd
from defer_cli.web.refusals import RefusalLog

_BACKLOG = 1024
_LAST_ANSWERS_SECONDS = 5.0
_LOOK_SECONDS = 1.0
_TRIES = 20


class PortTaken(SettingError):
    """Somebody else listens on the port."""


def bind(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen on ``port`` (0: any free one) at each address of ``host``, callers queueing up.

    A name may have several: who calls ``localhost`` may try ``::1`` first. Raises ``PortTaken`` or ``SettingError``.
    """
    if host == "*":  # the C library takes it for this machine alone
        raise SettingError("'*' is no address", where="--host", mend="use 0.0.0.0 or :: for all addresses")
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SettingError(f"{host!r} is no address: {error}", where="--host", mend="use 127.0.0.1") from None
    families: dict[Any, int] = {
        address[0]: family for family, _, _, _, address in sorted(found, key=lambda one: one[0])
    }
    for _ in range(_TRIES if port == 0 else 1):
        with suppress(PortTaken):  # a port that is free at one address may be taken at another
            return _listen_at(families, port)
    raise PortTaken(
        f"{host}:{port} is taken",
        where="--port",
        mend="give another one, --port 0 for any free one, or --port off",
    )


def _listen_at(families: dict[Any, int], port: int) -> list[socket.socket]:
    ends: list[socket.socket] = []
    missing: OSError | None = None
    for address, family in families.items():
        # Named, for asyncio sends small answers at once on a TCP socket that says it is one.
        end = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6 and len(families) > 1:
                end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            end.bind((address, port))
            end.listen(_BACKLOG)  # now: a second listener must not slip in between
            end.setblocking(False)
        except OSError as error:
            end.close()
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                missing = error
                continue
            for other in ends:
                other.close()
            raise _refused(address, port, error) from None
        ends.append(end)
        port = end.getsockname()[1]
    if not ends and missing is not None:
        raise _refused(next(iter(families)), port, missing)
    return ends


def _refused(address: str, port: int, error: OSError) -> SettingError:
    if error.errno == errno.EADDRINUSE:
        return PortTaken(f"{address}:{port} is taken")
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return SettingError(f"{address} is no address of this machine", where="--host", mend="use 127.0.0.1")
    return SettingError(
        f"{address}:{port} cannot be listened on: {error.strerror}", where="--port", mend="use a port above 1023"
    )


class Server:
    """Serves an application on bound sockets until it is stopped."""

    def __init__(self, ends: Sequence[socket.socket], app: Any) -> None:
        self._ends = ends
        self._config = Config(
            app,
            interface="asgi3",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
        )
        self._state = ServerState()
        self._crowd = Crowd()
        self._log = RefusalLog()
        self._servers: list[asyncio.Server] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def url(self) -> str:
        """Where it is reached."""
        host, port = self._ends[0].getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    async def start(self) -> None:
        """Answer requests from now on; uvicorn's own server is not used, for it wants the signals of the process."""
        loop = asyncio.get_running_loop()
        self._config.load()
        self._look()
        for end in self._ends:
            self._servers.append(await loop.create_server(self._connect, sock=end, backlog=_BACKLOG))

    def _connect(self) -> Connection:
        return Connection(self._config, self._state, self._crowd, self._log)

    def _look(self) -> None:
        """Set the date that answers carry, and hang up on who is late."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_LOOK_SECONDS, self._look)
        date = formatdate(time.time(), usegmt=True).encode()
        self._state.default_headers = [(b"date", date), (b"x-content-type-options", b"nosniff")]
        for connection in self._crowd:
            connection.look(loop.time())

    async def stop(self, *, hurry: asyncio.Event) -> None:
        """Take no more requests; those that are being answered get a moment, unless ``hurry``. Streams just end."""
        for server in self._servers:
            server.close()
        for connection in self._crowd:
            connection.stop()
        waits = [asyncio.ensure_future(self._crowd.until_empty()), asyncio.ensure_future(hurry.wait())]
        await asyncio.wait(waits, timeout=_LAST_ANSWERS_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        for connection in self._crowd:
            connection.give_up("the runner has stopped")
        if self._timer is not None:
            self._timer.cancel()
        for end in self._ends:
            with suppress(OSError):
                end.close()
