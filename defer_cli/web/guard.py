"""What every request passes first: is it meant for us, may it come in, and did a page of another site send it."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from defer_cli.web.answers import failure
from defer_cli.web.hosts import Hosts
from defer_cli.web.refusals import RefusalLog
from defer_cli.web.tokens import Token

OPEN_PATHS = frozenset({"/health"})
"""Served without the token: whoever watches a runner need not be able to command it."""
_WATCHED = frozenset({b"host", b"authorization", b"origin", b"sec-fetch-site"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_OUR_OWN_PAGES = (b"same-origin", b"none")
_ASK_FOR_TOKEN = {"www-authenticate": 'Basic realm="defer", charset="UTF-8"'}

_Answer = tuple[int, str, str]


class Guard:
    """An ASGI application before another one; ``token`` None: this machine only, and every token will do.

    Paths that have a door of their own are let through without the token: behind them it is asked for in another way.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Hosts,
        token: Token | None,
        log: RefusalLog | None = None,
        has_its_own_door: Callable[[str], bool] = OPEN_PATHS.__contains__,
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._token = token
        self._log = log or RefusalLog()
        self._has_its_own_door = has_its_own_door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer why not."""
        refused = self._refusal(scope)
        if refused is not None:
            status, code, message = refused
            self._log.tell(status, code)
            if all(name != b"expect" for name, _ in scope["headers"]):
                await _read_away(receive)
            answer = failure(status, message, code=code, headers=_ASK_FOR_TOKEN if status == 401 else None)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> _Answer | None:
        given: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in _WATCHED:
                if name in given:
                    return 400, "bad_request", f"there is more than one {name.decode()} header"
                given[name] = value
        host = given.get(b"host")
        return (
            self._refused_host(host)
            or self._refused_token(given.get(b"authorization"), scope["path"])
            or (None if scope["method"] in _READING else _refused_site(given, host or b""))
        )

    def _refused_host(self, host: bytes | None) -> _Answer | None:
        status = 400 if host is None else self._hosts.refusal_of(host)
        if status is None:
            return None
        if status == 400:
            return 400, "bad_request", "the Host header is missing, or names no host"
        return 403, "forbidden", "this host is not served; allow it with allowed_hosts, or DEFER_ALLOWED_HOSTS"

    def _refused_token(self, authorization: bytes | None, path: str) -> _Answer | None:
        token = self._token
        if token is None or path in OPEN_PATHS or (authorization is not None and token.is_shown_by(authorization)):
            return None
        if self._has_its_own_door(path):
            return None
        return 401, "unauthorized", "the token is missing or wrong; send it as Bearer, or as the password of Basic"


async def _read_away(receive: Receive) -> None:
    """Read the body, which is on its way: who closes with some of it unread loses the answer (RFC 9112, 9.6)."""
    while (await receive()).get("more_body"):
        pass


def _refused_site(given: dict[bytes, bytes], host: bytes) -> _Answer | None:
    """Refuse changes that a page of another site asks for; programs send none of these headers."""
    site = given.get(b"sec-fetch-site")
    origin = given.get(b"origin")
    if site is not None and site not in _OUR_OWN_PAGES:
        return 403, "forbidden", "pages of other sites may change nothing here"
    if origin is not None and origin.lower() not in (b"http://" + host.lower(), b"https://" + host.lower()):
        return 403, "forbidden", "pages of other origins may change nothing here"
    return None
