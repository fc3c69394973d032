"""Builds what a runner serves over HTTP: the API, the console, and the guard before both."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from defer_cli.api.app import build_app
from defer_cli.domain.settings import Settings
from defer_cli.web.backend import Backend
from defer_cli.web.guard import Guard
from defer_cli.web.hosts import Hosts
from defer_cli.web.server import Server
from defer_cli.web.tokens import Token


def build_server(ends: Sequence[socket.socket], backend: Backend, settings: Settings, token: Token | None) -> Server:
    """Return a server, not started, on bound sockets."""
    hosts = Hosts(host=settings.host, port=ends[0].getsockname()[1], allowed=settings.allowed_hosts)
    return Server(ends, Guard(build_app(backend), hosts=hosts, token=token))
