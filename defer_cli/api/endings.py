"""`POST executions/endings`: waits for the ends of many executions in one request, so that nobody has to poll."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Raw, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from defer_cli.api.bodies import read_body
from defer_cli.api.failures import body_of, fault_of
from defer_cli.api.routes import V2
from defer_cli.api.shapes import data
from defer_cli.domain.errors import named_error
from defer_cli.domain.states import State
from defer_cli.link.frames import Ended, Failure
from defer_cli.web.answers import failure
from defer_cli.web.backend import Backend
from defer_cli.web.routes import at

MOST_AWAITED = 1_000
LONGEST_WAIT_SECONDS = 20.0
_LARGEST_ANSWER = 4 * 1024 * 1024


class EndingsBody(Struct):
    """Whose ends, and how many seconds to wait until there is one; 0: not at all."""

    ids: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=MOST_AWAITED)]
    wait: Annotated[float, Meta(ge=0, le=LONGEST_WAIT_SECONDS)] = 0.0


class EndingObject(Struct, kw_only=True, omit_defaults=True):
    """How an execution ended: its result, or what its function raised; neither where it never ran to its end."""

    id: str
    state: State
    result: Raw | None = None
    error: Raw | None = None


def endings_routes(backend: Backend) -> list[Route]:
    """Return the route of ends."""

    async def answer(request: Request) -> Response:
        """Return those that have ended, once there is one or the time is over; too many for one answer come later."""
        body = await read_body(request, EndingsBody)
        ids = list(dict.fromkeys(body.ids))
        told = await backend.endings(ids, body.wait)
        return failure(503, "the runner is stopping") if told is None else data(_shown(told, ids))

    return [at(f"{V2}/executions/endings", POST=answer)]


def _shown(told: Sequence[Ended | Failure], ids: Sequence[str]) -> list[object]:
    shown: list[object] = []
    room = _LARGEST_ANSWER
    for one in told:
        if isinstance(one, Ended):
            room -= len(one.result or b"") + len(one.error or b"")
            if room < 0 and shown:
                break
            shown.append(
                EndingObject(id=one.id, state=State(one.state), result=_raw(one.result), error=_raw(one.error))
            )
        else:
            error = named_error(one.kind, one.problem, where=one.where, mend=one.mend, state=one.state)
            shown.append({"id": ids[one.number], **body_of(fault_of(error))})
    return shown


def _raw(part: bytes | None) -> Raw | None:
    return None if part is None else Raw(part)
