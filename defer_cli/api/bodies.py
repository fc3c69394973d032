"""What requests carry, as checked structs; anything wrong is told with the path of its field."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct
from starlette.requests import Request

from defer_cli.api.failures import Refusal

T = TypeVar("T")
Moment = Annotated[datetime, Meta(tz=True)]
_PATH = re.compile(r" - at `\$\.?(.*)`$")


class EnqueueBody(Struct):
    """``PUT executions``: one call."""

    function_name: str
    function_arguments: Raw = Raw(b"[]")
    schedule_for: Moment | None = None
    discard_after: Moment | None = None
    metadata: dict[str, str] | None = None


async def read_body(request: Request, kind: type[T]) -> T:
    """Return the body of a request as ``kind``; raise ``Refusal`` with the path of what is wrong."""
    return decoded(await request.body() or b"{}", kind)


def decoded(body: bytes, kind: type[T]) -> T:
    """Return JSON as ``kind``; raise ``Refusal``."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        text = str(error)
        path = _PATH.search(text)
        where = path.group(1) if path else None
        raise Refusal(400, _PATH.sub("", text).replace("`", ""), where=where or "body") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(400, f"the body is not JSON: {error}") from None
    except RecursionError:
        raise Refusal(400, "the body is nested too deep") from None


def plain(raw: Raw, *, where: str) -> Any:
    """Return a part of a body that may be any JSON; raise ``Refusal``."""
    try:
        return json.loads(bytes(raw))
    except RecursionError:
        raise Refusal(400, "it is nested too deep", where=where) from None
    except ValueError as error:
        raise Refusal(400, f"it is not JSON: {error}", where=where) from None
