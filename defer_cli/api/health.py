"""`/health`: whether the runner takes calls and can keep them, for whoever routes requests to it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from defer_cli.web.backend import Backend
from defer_cli.web.routes import at

_HEADERS = {"cache-control": "no-store"}


def health_routes(backend: Backend) -> Iterable[BaseRoute]:
    """Return the route of the health check."""

    async def get(_: Request) -> Response:
        """Answer 200, or 503 with the reason; nothing is read for it, so it may be asked often."""
        why_not = backend.why_not_healthy()
        if why_not is None:
            return _answer(200, {"status": "ok"})
        return _answer(503, {"status": "unavailable", "error": "unavailable", "message": why_not})

    return (at("/health", GET=get),)


def _answer(status: int, told: dict[str, str]) -> Response:
    return Response(msgspec.json.encode(told), status, _HEADERS, media_type="application/json")
