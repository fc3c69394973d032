"""Builds what a runner serves over HTTP: the API, the console, and the guard before both."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

from defer_cli.api.app import build_app
from defer_cli.console.app import build_console, owns
from defer_cli.domain.settings import Settings
from defer_cli.web.backend import Backend
from defer_cli.web.either import Either
from defer_cli.web.guard import Guard
from defer_cli.web.hosts import Hosts
from defer_cli.web.server import PortTaken, Server, bind
from defer_cli.web.tokens import Token, read_token


def take_port(
    settings: Settings, *, may_take_another: bool, warn: Callable[[str], None]
) -> tuple[list[socket.socket], Token | None]:
    """Return sockets that listen, and the token, before anything else is touched; raise ``SettingError``."""
    assert settings.port is not None
    token = read_token(settings, warn)
    try:
        return bind(settings.host, settings.port), token
    except PortTaken as error:
        if not may_take_another:
            raise
        warn(f"{error.problem}; another port serves the console and the API this time")
        return bind(settings.host, 0), token


def build_server(ends: Sequence[socket.socket], backend: Backend, settings: Settings, token: Token | None) -> Server:
    """Return a server, not started, on bound sockets."""
    hosts = Hosts(host=settings.host, port=ends[0].getsockname()[1], allowed=settings.allowed_hosts)
    console = build_console(backend, token=token, mask=settings.mask)
    app = Either(build_app(backend), console, is_the_others=owns)
    return Server(ends, Guard(app, hosts=hosts, token=token, has_its_own_door=owns))
