"""The marketplace's web app: ask for a user's recommendation, and see what came of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from defer.compute_product_recommendation import compute_product_recommendation
from defer_cli import (
    CallRefused,
    ExecutionFailed,
    ExecutionNotFound,
    ExecutionResultNotAvailable,
    ExecutionResultNotAvailableYet,
    NoRunner,
    Unconfirmed,
    assign_options,
    get_execution,
    get_execution_result,
)
from marketplace import shop


async def ask_for_recommendation(request: Request) -> JSONResponse:
    """Answer once the call is on disk. Asking again on the same day finds the same execution: one mail a day."""
    user = await known_user(request.path_params["user"])
    today = datetime.now(UTC).date()
    compute = assign_options(
        compute_product_recommendation, key=f"{user} on {today}", metadata={"user": str(user), "asked": "by web"}
    )
    execution = await compute(user)
    link = request.app.url_path_for("execution", id=execution.id)
    return JSONResponse({"id": execution.id, "state": execution.state, "link": link}, 202, {"Location": link})


async def show_recommendation(request: Request) -> JSONResponse:
    """Tell how far it is; once it is done, the products."""
    id = request.path_params["id"]
    execution = await get_execution(id)
    if execution.function != compute_product_recommendation.name:  # nobody's business here
        raise ExecutionNotFound("it is of another function")
    try:
        products = await get_execution_result(id)
    except ExecutionResultNotAvailableYet as error:
        return JSONResponse({"id": id, "state": error.state}, headers={"Retry-After": "1"})
    except (ExecutionResultNotAvailable, ExecutionFailed) as error:  # why it failed is told by `defer show`, not here
        return JSONResponse({"id": id, "state": error.state})
    return JSONResponse({"id": id, "state": "succeed", "products": products})


async def known_user(text: str) -> int:
    """Return the user that a path names."""
    try:
        user = int(text)
    except ValueError:
        raise HTTPException(400, f"{text!r} is not a user: use the number, such as /users/1/recommendation") from None
    ratings = await asyncio.to_thread(shop.ratings)
    if user not in ratings.by_user:
        raise HTTPException(404, f"there is no user {user}")
    return user


async def refuse(_request: Request, error: Exception) -> JSONResponse:
    """Answer a request that asks for something wrong."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def not_found(_request: Request, _error: Exception) -> JSONResponse:
    """Answer for an execution that is not there."""
    return JSONResponse({"error": "there is no such recommendation"}, 404)


async def unavailable(_request: Request, _error: Exception) -> JSONResponse:
    """Answer while the runner is away; thanks to the key it is harmless to ask again."""
    return JSONResponse({"error": "try again in a moment"}, 503, {"Retry-After": "5"})


app = Starlette(
    routes=[
        Route("/users/{user}/recommendation", ask_for_recommendation, methods=["POST"]),
        Route("/executions/{id}", show_recommendation, name="execution"),
    ],
    exception_handlers={
        HTTPException: refuse,
        ExecutionNotFound: not_found,
        NoRunner: unavailable,
        CallRefused: unavailable,
        Unconfirmed: unavailable,
    },
)
