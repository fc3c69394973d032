"""Two applications as one: each path belongs to one of them."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send


class Either:
    """An ASGI application that hands each request to one of two."""

    def __init__(self, one: ASGIApp, other: ASGIApp, *, is_the_others: Callable[[str], bool]) -> None:
        self._one = one
        self._other = other
        self._is_the_others = is_the_others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on by its path."""
        await (self._other if self._is_the_others(scope["path"]) else self._one)(scope, receive, send)
