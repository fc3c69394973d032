"""A Starlette app. Its handlers run on an event loop, so they await their calls."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from defer.welcome import welcome
from defer_cli import ExecutionNotFound, await_result, get_execution, get_execution_result


async def post_welcome(request: Request) -> JSONResponse:
    execution = await welcome(request.path_params["name"])  # on disk before the answer is sent
    return JSONResponse({"id": execution.id}, status_code=202)


async def show_execution(request: Request) -> JSONResponse:
    execution = await get_execution(request.path_params["id"])
    return JSONResponse({"state": execution.state})


async def show_letter(request: Request) -> JSONResponse:
    return JSONResponse({"letter": await get_execution_result(request.path_params["id"])})


async def wait_for_letter(request: Request) -> JSONResponse:
    return JSONResponse({"letter": await await_result(welcome)(request.path_params["name"])})


async def post_mistake(request: Request) -> JSONResponse:
    execution = await welcome("ann", {"since": datetime.now(UTC)})
    return JSONResponse({"id": execution.id}, status_code=202)


async def not_found(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, status_code=404)


app = Starlette(
    routes=[
        Route("/welcome/{name}", post_welcome, methods=["POST"]),
        Route("/executions/{id}", show_execution),
        Route("/executions/{id}/letter", show_letter),
        Route("/letters/{name}", wait_for_letter),
        Route("/mistake", post_mistake, methods=["POST"]),
    ],
    exception_handlers={ExecutionNotFound: not_found},
)
