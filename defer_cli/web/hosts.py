"""Under which names the API answers: a page that points its own name at this machine must not reach it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

from defer_cli.domain.settings import host_and_port, is_loopback

_MOST_REMEMBERED = 256


class Hosts:
    """The names of a server that is bound to ``host`` and ``port``, and those it was given besides.

    Bound to loopback it answers as loopback only, on its own port. Bound to the network it has a token, and answers
    to any address (a page cannot choose the address it is reached by), and to the machine's own name.
    """

    def __init__(self, *, host: str, port: int, allowed: Sequence[str] = ()) -> None:
        self._port = port
        self._is_open = not is_loopback(host)
        bare = host.strip("[]")
        names = ["localhost", "127.0.0.1", "[::1]", f"[{bare}]" if ":" in bare else bare]
        if self._is_open:
            names.append(socket.gethostname())
        self._names = {_canonical(name.lower()) for name in names}
        given = filter(None, (host_and_port(name) for name in allowed))
        self._allowed = {(_canonical(name), port) for name, port in given}
        self._remembered: set[bytes] = set()

    def refusal_of(self, header: bytes) -> int | None:
        """Return the status that a ``Host`` header is refused with: 400 when it is none, 403 when not ours."""
        if header in self._remembered:
            return None
        parsed = host_and_port(header.decode("latin-1"))
        if parsed is None:
            return 400
        if not self._is_ours(*parsed):
            return 403
        if len(self._remembered) < _MOST_REMEMBERED:
            self._remembered.add(header)
        return None

    def _is_ours(self, name: str, port: int | None) -> bool:
        host = _canonical(name)
        if (host, None) in self._allowed or (host, port) in self._allowed:
            return True
        if self._is_open:  # ports are mapped on the way: `-p 8080:3337`
            return host in self._names or not isinstance(host, str)
        return host in self._names and port in (None, self._port)


def _canonical(name: str) -> str | IPv4Address | IPv6Address:
    """Return an address as such, for it has many spellings; a name as it is."""
    with suppress(ValueError):
        return ip_address(name[1:-1] if name.startswith("[") else name)
    return name
