"""`/public/v2/executions`: calls, questions and changes about executions."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from defer_cli.api import enqueues, lists
from defer_cli.api.bodies import CancellationBody, RerunBody, ScheduleBody, read_body
from defer_cli.api.failures import Refusal, shortened
from defer_cli.api.routes import V2
from defer_cli.api.shapes import FailedResult, bare, data, execution_object
from defer_cli.domain.changes import Change
from defer_cli.domain.errors import (
    DeferError,
    ExecutionNotCancellable,
    ExecutionNotFound,
    ExecutionNotReschedulable,
)
from defer_cli.domain.execution import ExecutionError, to_microseconds
from defer_cli.domain.ids import is_id, random_id
from defer_cli.domain.states import State
from defer_cli.web.answers import failure
from defer_cli.web.backend import Backend
from defer_cli.web.routes import at

_OF_AN_ATTEMPT: dict[str, type[DeferError]] = {
    "cancel": ExecutionNotCancellable,
    "reschedule": ExecutionNotReschedulable,
    "rerun": DeferError,
}
"""What an attempt is refused with, a change at a time."""


def executions_routes(backend: Backend) -> list[Route]:
    """Return the routes of calls and executions."""
    executions = Executions(backend)
    one = f"{V2}/executions/{{id}}"
    return [
        at(f"{V2}/executions", PUT=executions.enqueue, POST=executions.list, GET=executions.list),
        at(f"{V2}/executions/batch", POST=executions.enqueue_batch),
        at(one, GET=executions.get),
        at(f"{one}/results", GET=executions.results),
        at(f"{one}/arguments", GET=executions.arguments),
        at(f"{one}/cancellation", POST=executions.cancel),
        at(f"{one}/schedule", PATCH=executions.reschedule),
        at(f"{one}/reruns", POST=executions.rerun),
        at(f"{one}/attempts", POST=executions.attempts, GET=executions.attempts),
    ]


class Executions:
    """The handlers; what they mean is decided in ``intake``, ``changes`` and ``reports``."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def enqueue(self, request: Request) -> Response:
        """Store one call."""
        return await enqueues.enqueue(self._backend, request)

    async def enqueue_batch(self, request: Request) -> Response:
        """Store many calls."""
        return await enqueues.enqueue_batch(self._backend, request)

    async def list(self, request: Request) -> Response:
        """Return a page of executions, newest first."""
        return await lists.executions(self._backend, request)

    async def attempts(self, request: Request) -> Response:
        """Return a page of the attempts of an execution, newest first."""
        return await lists.attempts(self._backend, request, id_of(request))

    async def get(self, request: Request) -> Response:
        """Return one execution, or one attempt of it."""
        return data(execution_object(await self._backend.ask("execution", id=id_of(request))))

    async def results(self, request: Request) -> Response:
        """Return what the function returned, bare; what it failed with; 202 before its end, 204 when there is none."""
        ending = await self._backend.ask("ending", id=id_of(request))
        state = State(ending["state"])
        if state is State.SUCCEED:
            return bare(ending["result"] or "null", state=state)
        if state is State.FAILED:
            return bare(msgspec.json.encode(failed_result(ending)), state=state)
        if state.is_final:
            return Response(status_code=204, headers={"defer-state": state})
        return failure(202, f"the execution is in {state} state and has no result yet", code="result_not_available_yet")

    async def arguments(self, request: Request) -> Response:
        """Return the arguments, bare: an array, or an object of ``args`` and ``kwargs``."""
        id = id_of(request)
        whole, dot, _ = id.partition(".")
        if dot:
            await self._backend.ask("execution", id=id)
        return bare(await self._backend.ask("arguments", id=whole))

    async def cancel(self, request: Request) -> Response:
        """Cancel what waits; with ``force`` also abort what runs."""
        body = await read_body(request, CancellationBody)
        return data(await self.cancelled(id_of(request), body))

    async def cancelled(self, id: str, body: CancellationBody) -> Any:
        """Cancel an execution and return it."""
        is_again = bool(body.is_again)
        return await self._change("cancel", id, ids=[id], is_forced=body.is_forced, is_again=is_again)

    async def reschedule(self, request: Request) -> Response:
        """Give what waits another time, now when none is given."""
        body = await read_body(request, ScheduleBody)
        return data(await self.rescheduled(id_of(request), body))

    async def rescheduled(self, id: str, body: ScheduleBody) -> Any:
        """Reschedule an execution and return it."""
        moment = body.schedule_for
        scheduled_us = None if moment is None else to_microseconds(moment)
        return await self._change("reschedule", id, ids=[id], scheduled_us=scheduled_us, is_again=bool(body.is_again))

    async def rerun(self, request: Request) -> Response:
        """Call the function once more with the same arguments and metadata; return the new execution."""
        new_id = (await read_body(request, RerunBody)).id
        if new_id is not None and not is_id(new_id):
            raise Refusal(400, f"{shortened(new_id)!r} is no id", where="id", mend="26 letters and digits, or none")
        id = id_of(request)
        return data(await self._change("rerun", id, pairs=[(id, new_id or random_id())]))

    async def _change(self, name: str, id: str, **parameters: Any) -> Any:
        """Make a change and return the execution it made; raise why it was refused."""
        if "." in id:
            await self._backend.ask("execution", id=id)
            whole = id.partition(".")[0]
            kind = _OF_AN_ATTEMPT[name].__name__
            raise Refusal(409, f"{id} is one attempt, which cannot be changed", mend=f"use {whole}", kind=kind)
        (change,) = await self._backend.ask(name, **parameters)
        if change["refusal"] is not None:
            msgspec.convert(change, Change).changed()
        return execution_object(change["execution"])


def id_of(request: Request) -> str:
    """Return the id in the path, of an execution or an attempt; raise ``ExecutionNotFound`` for what names none."""
    id: str = request.path_params["id"]
    whole, dot, number = id.partition(".")
    if not is_id(whole) or (dot and not (number.isascii() and number.isdecimal())):
        raise ExecutionNotFound(f"no execution has the id {shortened(id)!r}")
    return id


def failed_result(ending: dict[str, Any]) -> FailedResult:
    """Return what stands for the result of an execution that failed."""
    told = ending["error"]
    if told is None:
        message = f"execution {ending['id']} has failed"
        return FailedResult(
            message=message, stack=message, name="Error", code="ER0000", function_name=ending["function"]
        )
    error = msgspec.json.decode(told, type=ExecutionError)
    return FailedResult(
        message=error.message or error.type,  # an empty one is no error to the client
        stack=error.traceback or f"{error.type}: {error.message}",
        name=error.type,
        code=error.code,
        location=error.location,
        function_name=ending["function"],
    )
