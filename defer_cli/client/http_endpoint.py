"""Where the HTTP route leads, and by which right: from the real environment of the process only."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from defer_cli.domain.errors import SettingError

USUAL_ENDPOINT = "http://127.0.0.1:3337"
_TOKEN, _ENDPOINT = "DEFER_TOKEN", "DEFER_ENDPOINT"
VARIABLE_MEANINGS = {_ENDPOINT: "a program that calls: where the runner is, with `DEFER_TOKEN` set"}
_LONGEST_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The API of a runner; ``url`` has a scheme, a host and perhaps a port, and no path."""

    url: str
    host: str
    token: str = field(repr=False)

    @property
    def authorization(self) -> str:
        """What every request carries: the token as a password without a name."""
        from base64 import b64encode

        return "Basic " + b64encode(b":" + os.fsencode(self.token)).decode()

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine: no proxy knows the way there."""
        from defer_cli.domain.settings import is_loopback

        return is_loopback(self.host)


def has_token() -> bool:
    """Return whether this process is to use the HTTP route."""
    return bool(os.environ.get(_TOKEN))


def endpoint_as_set() -> tuple[str, str]:
    """Return the address and the token as they are set; an empty address counts as not set."""
    return os.environ.get(_ENDPOINT) or USUAL_ENDPOINT, os.environ.get(_TOKEN, "")


def checked_endpoint(address: str, token: str) -> Endpoint:
    """Return what ``address`` names; raise ``SettingError`` when it is no address of an API."""
    from urllib.parse import urlsplit

    shown = repr(address) if len(address) <= _LONGEST_SHOWN else f"{address[:_LONGEST_SHOWN]!r}…"
    try:
        parts = urlsplit(address.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _wrong(f"{shown} is no address: {error}") from None
    if "@" in parts.netloc:
        raise _wrong("the address holds a user or a password", mend="give the token by DEFER_TOKEN alone")
    if parts.scheme not in ("http", "https") or not host:
        raise _wrong(f"{shown} has no http:// or https:// and a host")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise _wrong(f"{shown} has a path", mend=f"give {parts.scheme}://{parts.netloc}: the API lies at its root")
    if any(letter.isspace() or not letter.isprintable() for letter in parts.netloc):
        raise _wrong(f"{shown} is no address")
    named = f"[{host}]" if ":" in host else host
    return Endpoint(f"{parts.scheme}://{named}" + (f":{port}" if port is not None else ""), host, token)


def _wrong(problem: str, *, mend: str = f"write it as {USUAL_ENDPOINT}") -> SettingError:
    return SettingError(problem, where=_ENDPOINT, mend=mend)
