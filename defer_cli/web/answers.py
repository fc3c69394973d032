"""Answers in JSON, and the form of those that say what went wrong."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from defer_cli.domain.visible import as_text

_CODES = {
    202: "aborting",
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    409: "conflict",
    413: "payload_too_large",
    414: "uri_too_long",
    421: "misdirected_request",
    429: "too_many_requests",
    431: "headers_too_large",
    500: "internal_error",
    503: "unavailable",
    507: "insufficient_storage",
}


def code_of(status: int) -> str:
    """Return the word that goes with a status."""
    return _CODES.get(status, "error")


def failure(status: int, message: str, *, code: str | None = None, headers: dict[str, str] | None = None) -> Response:
    """Return an error in the form the client knows: ``{"error": code, "message": text}``."""
    return answer_of({"error": code or code_of(status), "message": as_text(message)}, status, headers)


def answer_of(content: Any, status: int, headers: dict[str, str] | None = None) -> Response:
    """Return an answer with a JSON body."""
    return Response(msgspec.json.encode(content), status, headers, media_type="application/json")
