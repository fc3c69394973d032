"""Where the API lives, and a route that answers by method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

V1, V2 = "/public/v1", "/public/v2"
Handler = Callable[[Request], Awaitable[Response]]


def at(path: str, **handlers: Handler) -> Route:
    """Return the one route of a path, with a handler a method: that of another method is 405, and names them all."""
    if "GET" in handlers:
        handlers["HEAD"] = handlers["GET"]

    async def answer(request: Request) -> Response:
        return await handlers[request.method](request)

    return Route(path, answer, methods=list(handlers))
