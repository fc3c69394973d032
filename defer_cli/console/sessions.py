"""Signed-in browsers: a cookie that says until when, signed with a key that only the token gives."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from http.cookies import SimpleCookie

from defer_cli.web.tokens import Token

COOKIE = "defer_session"
LIFETIME_SECONDS = 12 * 3600
_MOST_WRONG = 10
_WRONG_SECONDS = 60.0
_LONGEST_COOKIE = 4_096


class TooManyTries(Exception):
    """Somebody guesses."""


class Sessions:
    """Knows who has shown the token. Another token ends all sessions; signing out ends one, until a restart."""

    def __init__(self, token: Token, clock: Callable[[], float] = time.time) -> None:
        self._token = token
        self._key = token.key_for(b"defer console session")
        self._clock = clock
        self._wrong: list[float] = []
        self._ended: dict[str, float] = {}

    def begin(self, token: str) -> str | None:
        """Return the cookie's value for who shows the token, None for another token; raise ``TooManyTries``."""
        now = self._clock()
        self._wrong = [moment for moment in self._wrong if now - moment < _WRONG_SECONDS]
        if len(self._wrong) >= _MOST_WRONG:
            raise TooManyTries
        if not self._token.is_(token):
            self._wrong.append(now)
            return None
        content = f"{int(now) + LIFETIME_SECONDS}.{secrets.token_hex(8)}"
        return f"{content}.{self._signature(content)}"

    def ends_at(self, value: str) -> float | None:
        """Return until when a cookie's value holds, in seconds since 1970; None: it does not."""
        content, _, signature = value.rpartition(".")
        until = content.partition(".")[0]
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._signature(content).encode()):
            return None
        return None if content in self._ended or float(until) <= self._clock() else float(until)

    def end(self, value: str) -> None:
        """Let a session hold no longer."""
        now = self._clock()
        self._ended = {content: until for content, until in self._ended.items() if until > now}
        until = self.ends_at(value)
        if until is not None:
            self._ended[value.rpartition(".")[0]] = until

    def _signature(self, content: str) -> str:
        return hmac.new(self._key, content.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def cookie_of(header: str | None) -> str:
    """Return the session that a ``Cookie`` header holds, or nothing."""
    if header is None or len(header) > _LONGEST_COOKIE or COOKIE not in header:
        return ""
    for part in header.split(";"):  # one odd cookie of a neighbour must not hide ours
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


def set_cookie(value: str, *, is_secure: bool) -> str:
    """Return the ``Set-Cookie`` header that begins a session; an empty value ends it."""
    cookie: SimpleCookie = SimpleCookie()
    cookie[COOKIE] = value
    morsel = cookie[COOKIE]
    morsel["path"] = "/"
    morsel["httponly"] = True
    morsel["samesite"] = "Strict"
    morsel["max-age"] = LIFETIME_SECONDS if value else 0
    if is_secure:
        morsel["secure"] = True
    return morsel.OutputString()
