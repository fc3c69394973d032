"""What an execution holds, whole, as plain files: its log, its arguments, its result."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from defer_cli.console import values
from defer_cli.console.words import iso
from defer_cli.domain.errors import ExecutionNotFound
from defer_cli.domain.visible import visible
from defer_cli.web.backend import Backend
from defer_cli.web.reading import Part, Reading

_HEADERS = {"cache-control": "no-store"}


class Downloads:
    """Secrets are masked here as on the pages."""

    def __init__(self, backend: Backend, mask: Sequence[str]) -> None:
        self._backend = backend
        self._mask = mask

    async def log(self, request: Request) -> Response:
        """Return a log piece by piece, however long it is: moment, attempt, stream and text of a line."""
        id, _, number = request.path_params["id"].partition(".")
        reading = Reading(self._backend, id, int(number) if number.isdecimal() else None)
        first = await reading.news()
        return StreamingResponse(_lines(first, reading), headers=_HEADERS, media_type="text/plain")

    async def arguments(self, request: Request) -> Response:
        """Return the arguments by name."""
        id = request.path_params["id"]
        found, stored = await self._backend.ask("execution", id=id), await self._backend.ask("arguments", id=id)
        spec = self._backend.functions.get(found["function"])
        return _json(values.whole_arguments(stored, spec, self._mask))

    async def result(self, request: Request) -> Response:
        """Return the result."""
        id = request.path_params["id"]
        found = await self._backend.ask("ending", id=id)
        if found["result"] is None:
            raise ExecutionNotFound("This execution has no result.")
        return _json(values.whole_result(found["result"], self._mask))


def _json(text: str) -> Response:
    return Response(text.encode("utf-8", "replace"), headers=_HEADERS, media_type="application/json")


async def _lines(parts: Sequence[Part], reading: Reading) -> AsyncIterator[bytes]:
    while parts:
        yield "".join(
            [
                f"{iso(at_us) if at_us else '-'} {attempt} {stream} {visible(text.expandtabs())}\n"
                for attempt, _, lines in parts
                for at_us, stream, text in lines
            ]
        ).encode("utf-8", "replace")
        parts = await reading.news()
