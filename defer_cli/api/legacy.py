"""`/public/v1`: what clients before 2.0 speak."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from defer_cli.api.bodies import CancellationBody, EnqueueBody, LegacyEnqueueBody, ScheduleBody, read_body
from defer_cli.api.calls import call_of
from defer_cli.api.enqueues import stored, trace_of
from defer_cli.api.executions import Executions, failed_result, id_of
from defer_cli.api.failures import Refusal
from defer_cli.api.routes import V1
from defer_cli.domain.errors import ExecutionAbortingAlreadyInProgress
from defer_cli.domain.paging import LARGEST_SIZE
from defer_cli.domain.states import State
from defer_cli.web.answers import answer_of
from defer_cli.web.backend import Backend
from defer_cli.web.routes import at


def legacy_routes(backend: Backend) -> list[Route]:
    """Return the routes of v1."""
    legacy = Legacy(backend)
    one = f"{V1}/executions/{{id}}"
    return [
        at(f"{V1}/enqueue", POST=legacy.enqueue),
        at(one, GET=legacy.get),
        at(f"{one}/cancel", POST=legacy.cancel),
        at(f"{one}/reschedule", POST=legacy.reschedule),
        at(f"{one}/tries", GET=legacy.tries),
    ]


class Legacy:
    """The handlers of v1: the same meaning, in fewer words."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._executions = Executions(backend)

    async def enqueue(self, request: Request) -> Response:
        """Store one call."""
        body = await read_body(request, LegacyEnqueueBody)
        call = EnqueueBody(
            function_name=body.name,
            function_arguments=body.arguments,
            schedule_for=body.scheduled_for or body.schedule_for,
            discard_after=body.discard_after,
            metadata=body.metadata,
        )
        try:
            execution = await stored(self._backend, call_of(call, self._backend, trace=trace_of(request)))
        except Refusal as error:
            if error.where is None:
                error.problem = f"invalid function name: {error.problem}"
            raise
        return answer_of({"id": execution.id}, 201)

    async def get(self, request: Request) -> Response:
        """Return how an execution stands, with its result or what it failed with."""
        ending = await self._backend.ask("ending", id=id_of(request))
        result: object = None
        if ending["state"] == State.SUCCEED and ending["result"] is not None:
            result = msgspec.Raw(ending["result"])
        elif ending["state"] == State.FAILED:
            result = failed_result(ending)
        return answer_of({"id": ending["id"], "state": ending["state"], "result": result}, 200)

    async def cancel(self, request: Request) -> Response:
        """Cancel what waits; with ``force`` also abort what runs, once or more often."""
        id = id_of(request)
        try:
            await self._executions.cancelled(id, await read_body(request, CancellationBody))
        except ExecutionAbortingAlreadyInProgress:
            return answer_of({"id": id}, 202)
        return answer_of({"id": id}, 200)

    async def reschedule(self, request: Request) -> Response:
        """Give what waits another time."""
        await self._executions.rescheduled(id_of(request), await read_body(request, ScheduleBody))
        return answer_of({}, 200)

    async def tries(self, request: Request) -> Response:
        """Return the attempts, newest first."""
        told = await self._backend.ask("attempts", id=id_of(request), page={"first": LARGEST_SIZE}, filters={})
        return answer_of([{"id": one["id"], "state": one["state"]} for one in told["items"]], 200)
