"""`/public/v2/executions/{id}/logs`: what an execution printed, as JSON or lines, and followed as events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from defer_cli.api.executions import id_of
from defer_cli.api.failures import Refusal
from defer_cli.api.lines import line_objects
from defer_cli.api.routes import V2
from defer_cli.api.streams import ENDED, LogStream, seen_of
from defer_cli.domain.errors import ExecutionNotFound
from defer_cli.domain.visible import visible
from defer_cli.web.answers import failure
from defer_cli.web.backend import Backend
from defer_cli.web.event_streams import EVENTS
from defer_cli.web.reading import Part, Reading
from defer_cli.web.routes import at

_SWITCH = {"": True, "1": True, "true": True, "0": False, "false": False}
_HEADERS = {"cache-control": "no-store"}


def logs_routes(backend: Backend) -> Iterable[BaseRoute]:
    """Return the route of the logs."""
    return (at(f"{V2}/executions/{{id}}/logs", GET=LogsOfExecutions(backend).get),)


class LogsOfExecutions:
    """Answers with a whole log piece by piece, however long it is."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def get(self, request: Request) -> Response:
        """Return the log of an execution, or of one attempt."""
        id, attempt = _asked(request)
        if _is_following(request):
            return await self._follow(request, id, attempt)
        reading = Reading(self._backend, id, attempt)
        first = await reading.news()
        more = await reading.news() if first else []
        form = _Lines() if _wants_lines(request) else _Json()
        if not more:
            return Response(form.whole(first), headers=_HEADERS, media_type=form.media_type)
        return StreamingResponse(_pieces(form, [first, more], reading), headers=_HEADERS, media_type=form.media_type)

    async def _follow(self, request: Request, id: str, attempt: int | None) -> Response:
        last = request.headers.get("last-event-id", "")
        if last == ENDED:
            return Response(status_code=204)
        reading = Reading(self._backend, id, attempt, seen=seen_of(last))
        first = await reading.news()
        if request.method == "HEAD":
            return Response(headers=_HEADERS, media_type=EVENTS)
        if self._backend.streams.is_full:
            return failure(503, "too many event streams are open", headers={"retry-after": "5"})
        return LogStream(self._backend.streams, reading, first)


async def _pieces(form: _Json | _Lines, read: list[Sequence[Part]], reading: Reading) -> AsyncIterator[bytes]:
    yield form.begin
    glue = b""
    for parts in read:
        yield glue + form.piece(parts)
        glue = form.glue
    while parts := await reading.news():
        yield glue + form.piece(parts)
    yield form.end


class _Json:
    """``{"data": [line, …]}``."""

    media_type = "application/json"
    begin, glue, end = b'{"data":[', b",", b"]}"

    def piece(self, parts: Sequence[Part]) -> bytes:
        """Return lines without the brackets around them."""
        return msgspec.json.encode(line_objects(parts))[1:-1]

    def whole(self, parts: Sequence[Part]) -> bytes:
        """Return a log that is one piece."""
        return self.begin + self.piece(parts) + self.end


class _Lines:
    """Moment, attempt, stream and text of a line, nothing in it that a terminal would obey."""

    media_type = "text/plain"
    begin = glue = end = b""

    def piece(self, parts: Sequence[Part]) -> bytes:
        """Return lines."""
        return "".join(
            [
                f"{line.at or '-'} {line.attempt} {line.stream} {visible(line.text.expandtabs())}\n"
                for line in line_objects(parts)
            ]
        ).encode("utf-8", "replace")

    whole = piece


def _asked(request: Request) -> tuple[str, int | None]:
    id, dot, number = id_of(request).partition(".")
    given = request.query_params.get("attempt")
    if dot:
        if number.startswith("0"):  # attempts have one name each
            raise ExecutionNotFound(f"there is no attempt {number!r}")
        if given not in (None, number):
            raise Refusal(400, f"the path names attempt {number}", where="attempt")
        return id, int(number)
    return id, None if given is None else _number(given)


def _number(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 9:
        return int(text)
    raise Refusal(400, "it is no number", where="attempt")


def _is_following(request: Request) -> bool:
    given = request.query_params.get("follow", "0")
    try:
        return _SWITCH[given.lower()]
    except KeyError:
        raise Refusal(400, "it is neither true nor false", where="follow") from None


def _wants_lines(request: Request) -> bool:
    accepted = request.headers.get("accept", "").lower()
    return "text/plain" in accepted and "json" not in accepted
