"""A route that answers by method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

Handler = Callable[[Request], Awaitable[Response]]


def at(path: str, **handlers: Handler) -> Route:
    """Return the one route of a path, with a handler a method: that of another method is 405, and names them all."""
    if "GET" in handlers:
        handlers["HEAD"] = handlers["GET"]
    return Route(path, _Answers(handlers), methods=list(handlers))


class _Answers:
    """An application of its own: Starlette wraps plain handlers in a second layer of what the whole one does."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._handlers[scope["method"]](Request(scope, receive))
        await response(scope, receive, send)
