"""Errors as answers: the status and the body that stand for what went wrong."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from defer_cli.api.routes import V1
from defer_cli.domain import changes
from defer_cli.domain.errors import (
    ArgumentsTooLarge,
    DeferError,
    ExecutionAbortingAlreadyInProgress,
    ExecutionNotCancellable,
    ExecutionNotFound,
    ExecutionNotReschedulable,
    StoreError,
    StoreFull,
    Unconfirmed,
)
from defer_cli.domain.visible import as_text
from defer_cli.web.answers import answer_of, code_of, failure

_STATUSES: tuple[tuple[type[DeferError], int], ...] = (
    (ExecutionNotFound, 404),
    (ExecutionAbortingAlreadyInProgress, 202),
    (ExecutionNotCancellable, 409),
    (ExecutionNotReschedulable, 409),
    (ArgumentsTooLarge, 413),
    (StoreFull, 507),
    (StoreError, 503),
    (Unconfirmed, 409),
)
_LONGEST_SHOWN = 100


class Refusal(DeferError):
    """A request that cannot be met as it is; ``status`` says in which way, ``kind`` which error it is elsewhere."""

    def __init__(
        self, status: int, problem: str, *, where: str | None = None, mend: str | None = None, kind: str = "DeferError"
    ) -> None:
        super().__init__(problem, where=where, mend=mend)
        self.status = status
        self.kind = kind


class Fault(NamedTuple):
    """An error as it is answered; ``detail`` is what makes it the same error again at the other end."""

    status: int
    code: str
    message: str
    detail: changes.Refusal


def fault_of(error: DeferError, *, id: str | None = None) -> Fault:
    """Return how an error is answered; ``id`` is the execution that was asked for."""
    detail = changes.Refusal.of(error)
    message = str(error)
    if isinstance(error, StoreError):  # where the database lies is nobody's concern
        detail, message = replace(detail, where=None), "; ".join(filter(None, (error.problem, error.mend)))
    if isinstance(error, Refusal):
        status, detail = error.status, replace(detail, kind=error.kind)
    else:
        status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 400)
    if isinstance(error, ExecutionNotFound) and id is not None:
        message = f'cannot find execution "{shortened(id)}"'
    elif detail.state is not None:
        message = error.problem
    return Fault(status, code_of(status), message, detail)


def body_of(fault: Fault) -> dict[str, Any]:
    """Return the body of an error: what the client knows, and ``detail``, which it ignores."""
    given = {name: as_text(value) for name, value in msgspec.to_builtins(fault.detail).items() if value is not None}
    return {"error": fault.code, "message": as_text(fault.message), "detail": given}


def shortened(text: str) -> str:
    """Return a text a caller sent, cut where it says enough."""
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"


async def on_defer_error(request: Request, error: Any) -> Response:
    """Answer an error of defer's own; what a caller sent wrong is 400. v1 writes its codes as words."""
    body = body_of(fault := fault_of(error, id=request.path_params.get("id")))
    if request.url.path.startswith(V1):
        body["error"] = body["error"].replace("_", " ")
    return answer_of(body, fault.status)


async def on_http_error(_: Request, error: Any) -> Response:
    """Answer what no route answers: another path, another method."""
    assert isinstance(error, HTTPException)
    mend = "see /openapi.json" if error.status_code in (404, 405) else None
    message = error.detail if mend is None else f"{error.detail}; {mend}"
    return failure(error.status_code, message, headers=dict(error.headers or {}))


async def on_disconnect(_: Request, __: Exception) -> Response:
    """Answer nobody: the caller left before its body had come."""
    return failure(400, "the body ended early")


async def on_unexpected(_: Request, __: Exception) -> Response:
    """Answer a fault of ours: what it is stays in the log."""
    return failure(500, "something went wrong in defer; its log says what")
