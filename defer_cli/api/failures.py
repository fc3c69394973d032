"""Errors as answers: the status and the body that stand for what went wrong."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from defer_cli.domain.errors import (
    DeferError,
    ExecutionAbortingAlreadyInProgress,
    ExecutionNotCancellable,
    ExecutionNotFound,
    ExecutionNotReschedulable,
    StoreError,
)

_STATUSES: tuple[tuple[type[DeferError], int, str], ...] = (
    (ExecutionNotFound, 404, "not_found"),
    (ExecutionAbortingAlreadyInProgress, 202, "aborting"),
    (ExecutionNotCancellable, 409, "conflict"),
    (ExecutionNotReschedulable, 409, "conflict"),
    (StoreError, 503, "unavailable"),
)
_FAULTS = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed"}


class Refusal(DeferError):
    """A request that cannot be met as it is; ``status`` says in which way."""

    def __init__(self, status: int, problem: str, *, where: str | None = None, mend: str | None = None) -> None:
        super().__init__(problem, where=where, mend=mend)
        self.status = status


def failure(status: int, message: str, *, code: str | None = None, headers: dict[str, str] | None = None) -> Response:
    """Return an error in the form the client knows: ``{"error": code, "message": text}``."""
    body = msgspec.json.encode({"error": code or _FAULTS.get(status, "error"), "message": message})
    return Response(body, status, headers, media_type="application/json")


async def on_defer_error(_: Request, error: Any) -> Response:
    """Answer an error of defer's own; what a caller sent wrong is 400."""
    if isinstance(error, Refusal):
        return failure(error.status, str(error))
    for kind, status, code in _STATUSES:
        if isinstance(error, kind):
            return failure(status, error.problem, code=code)
    return failure(400, str(error))
