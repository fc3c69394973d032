"""The HTTP server inside the runner's loop: bound before anything starts, drained before anything stops."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from email.utils import formatdate
from typing import Any

import uvicorn

from defer_cli.domain.errors import SettingError

_BACKLOG = 1024
_KEEP_ALIVE_SECONDS = 75
"""Longer than clients keep an idle connection: we must not be who closes first, for `@defer/client` never retries."""
_LAST_ANSWERS_SECONDS = 5


class PortTaken(SettingError):
    """Somebody else listens on the port."""


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to ``host`` and ``port`` (0: any free one); raise ``PortTaken`` or ``SettingError``."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise SettingError(f"{host!r} is no address: {error.strerror or error}", where="--host") from None
    end = socket.socket(family, kind, protocol)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        end.bind(address)
        end.listen(_BACKLOG)  # now: a second listener must not slip in between
    except OSError as error:
        end.close()
        raise PortTaken(
            f"{host}:{port} cannot be listened on: {error.strerror}",
            where="--port",
            mend="give another one, --port 0 for any free one, or --port off",
        ) from None
    end.setblocking(False)
    return end


class Server:
    """Serves an application on a bound socket until it is stopped."""

    def __init__(self, end: socket.socket, app: Any) -> None:
        self._end = end
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_LAST_ANSWERS_SECONDS,
            )
        )

    @property
    def url(self) -> str:
        """Where it is reached."""
        host, port = self._end.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    async def start(self) -> None:
        """Answer requests from now on; its own loop of signals and ticks is not run, for this process has one."""
        config = self._uvicorn.config
        config.load()
        self._uvicorn.lifespan = config.lifespan_class(config)
        self.tick()
        await self._uvicorn.startup(sockets=[self._end])

    def tick(self) -> None:
        """Set the date that answers carry; call it once a second."""
        date = formatdate(time.time(), usegmt=True).encode()
        self._uvicorn.server_state.default_headers = [(b"date", date)]

    async def stop(self) -> None:
        """Take no more requests, and give those that are being answered a moment."""
        if self._uvicorn.started:
            await self._uvicorn.shutdown(sockets=[self._end])
        with suppress(OSError):
            self._end.close()
