"""Calls that come in: one, or many at once."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from defer_cli.api.bodies import BatchBody, EnqueueBody, read_body
from defer_cli.api.calls import call_of
from defer_cli.api.failures import Refusal, body_of, fault_of
from defer_cli.api.shapes import ExecutionObject, batch_object, data, execution_object, stored_object
from defer_cli.domain.enqueue import Enqueue, Refused
from defer_cli.domain.errors import DeferError
from defer_cli.domain.traces import carried
from defer_cli.web.backend import Backend


async def enqueue(backend: Backend, request: Request) -> Response:
    """Store one call: 201 once it is on disk, also for one that an earlier request stored."""
    call = call_of(await read_body(request, EnqueueBody), backend, trace=trace_of(request))
    return data(await stored(backend, call), 201)


async def stored(backend: Backend, call: Enqueue) -> ExecutionObject:
    """Store a call and return its execution; raise ``Refusal`` when its id belongs to another."""
    (result,) = await backend.insert([call])
    if isinstance(result, Refused):
        raise _conflict(result)
    if result.is_new:
        return stored_object(call, result)
    return execution_object(await backend.ask("execution", id=result.id))


async def enqueue_batch(backend: Backend, request: Request) -> Response:
    """Store many calls in one transaction; each has an outcome of its own, in the order of the calls.

    A body that is not what it should be is refused whole; a call that cannot be taken is refused alone.
    """
    bodies = (await read_body(request, BatchBody)).executions
    trace = trace_of(request)
    outcomes: list[Any] = []
    calls: list[Enqueue] = []
    places: list[int] = []
    for place, body in enumerate(bodies):
        try:
            calls.append(call_of(body, backend, trace=trace))
        except DeferError as error:
            outcomes.append(_refused(error, body.id))
        else:
            outcomes.append(None)
            places.append(place)
    results = await backend.insert(calls) if calls else []
    for place, call, result in zip(places, calls, results, strict=True):
        if isinstance(result, Refused):
            outcomes[place] = _refused(_conflict(result), result.id)
        else:
            outcomes[place] = batch_object(call, result)
    return data(outcomes)


def trace_of(request: Request) -> str | None:
    """Return the trace that a request is part of (W3C Trace Context); what cannot be read is none."""
    found = request.headers
    return carried(found.get("traceparent"), found.get("tracestate"))


def _conflict(result: Refused) -> Refusal:
    return Refusal(409, result.problem, mend=result.mend, kind="CallRefused")


def _refused(error: DeferError, id: str | None) -> dict[str, Any]:
    fault = fault_of(error)
    return {"id": id, "status": fault.status, **body_of(fault)}
