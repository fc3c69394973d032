"""The application: which path leads to which handler, and what every request passes first."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Route

from defer_cli.api.backend import Backend
from defer_cli.api.executions import Executions
from defer_cli.api.failures import on_defer_error
from defer_cli.domain.errors import DeferError

V2 = "/public/v2"


def build_app(backend: Backend) -> Starlette:
    """Return the API of a runner as an ASGI application."""
    executions = Executions(backend)
    return Starlette(
        routes=[
            Route(f"{V2}/executions", executions.enqueue, methods=["PUT"]),
            Route(f"{V2}/executions/{{id}}", executions.get, methods=["GET"]),
        ],
        exception_handlers={DeferError: on_defer_error},
    )
