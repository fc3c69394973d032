"""The application: which path leads to which handler, and what every request passes first."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from defer_cli.api.endings import endings_routes
from defer_cli.api.executions import Executions, executions_routes
from defer_cli.api.failures import on_defer_error, on_disconnect, on_http_error, on_unexpected
from defer_cli.api.functions import functions_routes
from defer_cli.api.health import health_routes
from defer_cli.api.legacy import legacy_routes
from defer_cli.api.logs import logs_routes
from defer_cli.api.metrics import metrics_routes
from defer_cli.api.openapi import openapi_routes
from defer_cli.api.shortcut import Shortcut
from defer_cli.domain.errors import DeferError
from defer_cli.web.backend import Backend

Part = Callable[[Backend], Iterable[BaseRoute]]
PARTS: tuple[Part, ...] = (
    endings_routes,
    executions_routes,
    logs_routes,
    functions_routes,
    legacy_routes,
    health_routes,
    metrics_routes,
    openapi_routes,
)
"""Each gives its routes, whole paths; among the routes the first that fits answers."""


def build_app(backend: Backend) -> ASGIApp:
    """Return the API of a runner as an ASGI application."""
    app = Starlette(
        routes=[route for part in PARTS for route in part(backend)],
        exception_handlers={
            DeferError: on_defer_error,
            HTTPException: on_http_error,
            ClientDisconnect: on_disconnect,
            Exception: on_unexpected,
        },
    )
    app.router.redirect_slashes = False  # another path is another path, and a redirect is nothing to a client
    return Shortcut(app, Executions(backend).enqueue)
