"""What requests carry, as checked structs; anything wrong is told with the path of its field.

Keys that nobody knows are ignored, for clients grow; null stands for a key that is not there.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct
from starlette.requests import ClientDisconnect, Request

from defer_cli.api.failures import Refusal
from defer_cli.api.fields import (
    NOT_BOTH,
    AnyArray,
    AnyObject,
    CameFrom,
    Cursor,
    Id,
    Key,
    Metadata,
    Moment,
    Size,
)
from defer_cli.domain.states import State
from defer_cli.store.writer import MOST_CALLS

T = TypeVar("T")
_PATH = re.compile(r" - at `(key in )?\$\.?(.*)`$")
_ABSENT = Raw(b"null")
_read = json.JSONDecoder().decode  # exact, of numbers too, where msgspec makes floats of large ones
_decoders: dict[type, msgspec.json.Decoder[Any]] = {}


def _absent() -> Raw:
    return _ABSENT


class EnqueueBody(Struct):
    """``PUT executions``: one call.

    ``id`` is the caller's own name for it, so that a call sent twice is stored once; ``key`` makes such an id of
    the function and a word. ``keyword_arguments`` are for functions that take them, ``called_at`` tells when the
    call was made, where it was not now. ``traceparent`` and ``tracestate`` name the trace it was made in, where that
    is not the one of the request's own headers.
    """

    function_name: str
    function_arguments: AnyArray = msgspec.field(default_factory=_absent)
    keyword_arguments: AnyObject = msgspec.field(default_factory=_absent)
    schedule_for: Moment | None = None
    discard_after: Moment | None = None
    metadata: Metadata | None = None
    id: Id | None = None
    key: Key | None = None
    called_at: Moment | None = None
    traceparent: str | None = None
    tracestate: str | None = None


class BatchBody(Struct):
    """``POST executions/batch``: many calls."""

    executions: Annotated[list[EnqueueBody], Meta(max_length=MOST_CALLS)]


class Forced(Struct):
    """What a caller of the first client's form sends as ``force``."""

    force: bool | None = None


class CancellationBody(Struct):
    """``POST executions/{id}/cancellation``; ``is_again``: sent once before, and the answer was lost."""

    force: bool | Forced | None = None
    is_again: bool | None = None

    @property
    def is_forced(self) -> bool:
        """Whether what runs is to be aborted."""
        force = self.force.force if isinstance(self.force, Forced) else self.force
        return bool(force)


class ScheduleBody(Struct):
    """``PATCH executions/{id}/schedule``: nothing means now; ``is_again`` as for a cancellation."""

    schedule_for: Moment | None = None
    is_again: bool | None = None


class RerunBody(Struct):
    """``POST executions/{id}/reruns``; ``id`` names the new execution, so that a rerun sent twice is one."""

    id: Id | None = None


class PageBody(Struct):
    """Which part of a list."""

    first: Size | None = None
    after: Cursor | None = None
    last: Size | None = None
    before: Cursor | None = None


class SpanBody(Struct, rename={"from_": "from"}):
    """A span of time, both ends included."""

    from_: Moment | None = None
    to: Moment | None = None


class MetadataBody(Struct):
    """A key of the metadata, and the values it may have."""

    key: str
    values: list[str] | None = None


class FiltersBody(Struct):
    """What a list is narrowed to: values of one filter are alternatives, several filters must all hold."""

    states: list[State] | None = None
    function_ids: list[str] | None = None
    function_names: list[str] | None = None
    error_codes: list[str] | None = None
    scheduled_at: SpanBody | None = None
    started_at: SpanBody | None = None
    executed_by: str | None = None
    metadata: list[MetadataBody] | None = None
    came_from: list[CameFrom] | None = None
    parent: str | None = None


class ListBody(Struct):
    """``POST executions`` and ``POST executions/{id}/attempts``."""

    page: Annotated[PageBody, NOT_BOTH] | None = None
    filters: FiltersBody | None = None


class LegacyEnqueueBody(Struct):
    """``POST /public/v1/enqueue``."""

    name: str
    arguments: AnyArray = msgspec.field(default_factory=_absent)
    scheduled_for: Moment | None = None
    schedule_for: Moment | None = None
    discard_after: Moment | None = None
    metadata: Metadata | None = None


async def read_body(request: Request, kind: type[T]) -> T:
    """Return the body of a request as ``kind``; raise ``Refusal`` with the path of what is wrong."""
    return decoded(await read_all(request) or b"{}", kind)


async def read_all(request: Request) -> bytes:
    """Return the body of a request, once; most come in one piece. Raises ``ClientDisconnect``."""
    pieces: list[bytes] = []
    while True:
        message = await request.receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def decoded(body: bytes, kind: type[T]) -> T:
    """Return JSON as ``kind``; raise ``Refusal``."""
    try:
        decoder = _decoders.get(kind)
        if decoder is None:
            decoder = _decoders[kind] = msgspec.json.Decoder(kind)
        content: T = decoder.decode(body)
        return content
    except msgspec.ValidationError as error:
        raise misfit(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(400, f"the body is not JSON in UTF-8: {error}") from None
    except RecursionError:
        raise Refusal(400, "the body is nested too deep") from None


def misfit(error: msgspec.ValidationError) -> Refusal:
    """Return the refusal of what has a wrong type or value, with the path of its field."""
    text = str(error)
    path = _PATH.search(text)
    where = path.group(2) if path else ""
    return Refusal(400, _PATH.sub("", text).replace("`", ""), where=where or "body")


def plain(raw: Raw, *, where: str) -> Any:
    """Return a part of a body that may be any JSON, None for null; raise ``Refusal``."""
    if raw is _ABSENT:
        return None
    try:
        return _read(str(raw, "utf-8"))
    except RecursionError:
        raise Refusal(400, "it is nested too deep", where=where) from None
    except ValueError as error:  # an int of more digits than Python reads, bytes that are no text
        raise Refusal(400, f"it cannot be read: {error}", where=where) from None
