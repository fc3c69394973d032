"""What answers carry: executions and lists in the form of the v2 API."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec
from starlette.responses import Response

from defer_cli.domain.ids import encode_id

_encode = msgspec.json.encode


def function_id(name: str) -> str:
    """Return the stable id of a function."""
    return encode_id(int.from_bytes(blake2b(name.encode(), digest_size=16, person=b"function").digest(), "big"))


def execution_object(data: dict[str, Any]) -> dict[str, Any]:
    """Return an execution as the API shows it: the seven fields of the client first, then what we know besides."""
    function = data["function"]
    return {
        "id": data["id"],
        "state": data["state"],
        "function_name": function,
        "function_id": function_id(function),
        "scheduled_at": data["scheduled_at"],
        "created_at": data["created_at"],
        "updated_at": data["updated_at"],
        **{name: value for name, value in data.items() if name not in _TOLD},
    }


_TOLD = {"id", "state", "function", "scheduled_at", "created_at", "updated_at"}


def data(content: Any, status: int = 200) -> Response:
    """Return an answer in its envelope."""
    return Response(_encode({"data": content}), status, media_type="application/json")
