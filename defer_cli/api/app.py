"""The application: which path leads to which handler, and what every request passes first."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from defer_cli.api.backend import Backend
from defer_cli.api.executions import executions_routes
from defer_cli.api.failures import on_defer_error
from defer_cli.domain.errors import DeferError

Part = Callable[[Backend], Iterable[BaseRoute]]
PARTS: tuple[Part, ...] = (executions_routes,)
"""Each gives its routes, whole paths; among the routes the first that fits answers."""


def build_app(backend: Backend) -> Starlette:
    """Return the API of a runner as an ASGI application."""
    return Starlette(
        routes=[route for part in PARTS for route in part(backend)],
        exception_handlers={DeferError: on_defer_error},
    )
