"""What a program may ask of executions and change about them, by id, over the way its calls travel."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from time import time_ns
from typing import Any, TypeVar

import msgspec

from defer_cli.client.fresh_ids import fresh_id
from defer_cli.client.lanes import lane_for_ids
from defer_cli.client.process import sender
from defer_cli.client.shipments import Errand
from defer_cli.domain.call_options import checked_when
from defer_cli.domain.changes import Change
from defer_cli.domain.duration import When
from defer_cli.domain.errors import (
    DeferError,
    ExecutionFailed,
    ExecutionResultNotAvailable,
    ExecutionResultNotAvailableYet,
    Unconfirmed,
)
from defer_cli.domain.execution import Attempt, Execution, ExecutionError, to_microseconds
from defer_cli.domain.paging import Filters, Listing, Page, PageInfo
from defer_cli.domain.states import State
from defer_cli.link.frames import Answer, Ask

T = TypeVar("T")
_MICROSECOND = timedelta(microseconds=1)


async def get_execution(id: str) -> Execution:
    """Return an execution as it is now; ``<id>.<n>`` is its n-th attempt. Raises ``ExecutionNotFound``."""
    return msgspec.convert(await _ask("execution", id=id), Execution)


async def get_execution_result(id: str) -> Any:
    """Return what the function returned.

    Raises ``ExecutionResultNotAvailableYet`` before its end, ``ExecutionResultNotAvailable`` when it never will have
    one, ``ExecutionFailed`` with the function's error, and ``ExecutionNotFound``.
    """
    ending = await _ask("ending", id=id)
    state, where = ending["state"], f"execution {id}"
    if state == State.SUCCEED:
        return None if ending["result"] is None else json.loads(ending["result"])
    if state == State.FAILED:
        raise failure_of(id, ending["function"], state, ending["error"])
    if State(state).is_final:
        raise ExecutionResultNotAvailable(f"it was {state} and has no result", state=state, where=where)
    raise ExecutionResultNotAvailableYet(
        f"it is in {state} state and has no result yet", state=state, where=where, mend="await it, or ask again later"
    )


async def list_executions(page: Page | None = None, filters: Filters | None = None) -> Listing[Execution]:
    """Return a page of executions, newest first: 50 unless ``page`` says otherwise."""
    return _listing(await _ask("executions", **_asked(page, filters)), Execution)


async def list_execution_attempts(
    id: str, page: Page | None = None, filters: Filters | None = None
) -> Listing[Attempt]:
    """Return a page of the attempts of an execution, newest first. Raises ``ExecutionNotFound``."""
    return _listing(await _ask("attempts", id=id, **_asked(page, filters)), Attempt)


async def cancel_execution(id: str, *, force: bool = False) -> Execution:
    """Cancel an execution that waits; with ``force`` also abort one that runs, which then ends a little later.

    Raises ``ExecutionNotCancellable``, ``ExecutionAbortingAlreadyInProgress`` and ``ExecutionNotFound``.
    """
    return await _change("cancel", lambda is_again: {"ids": [id], "is_forced": force, "is_again": is_again})


async def reschedule_execution(id: str, when: When | None = None) -> Execution:
    """Give an execution that waits another time: a span from now, an aware datetime, None for now.

    Its ``discard_after`` stays as it is. Raises ``ExecutionNotReschedulable`` and ``ExecutionNotFound``.
    """
    moment = None if when is None else checked_when(when, where="when")
    if isinstance(moment, datetime):
        scheduled_us: int | None = to_microseconds(moment)
    else:
        scheduled_us = None if moment is None else time_ns() // 1000 + moment // _MICROSECOND
    return await _change(
        "reschedule", lambda is_again: {"ids": [id], "scheduled_us": scheduled_us, "is_again": is_again}
    )


async def rerun_execution(id: str) -> Execution:
    """Call the function once more with the same arguments and metadata, whatever the state; return the new execution.

    Raises ``ExecutionNotFound``.
    """
    new_id = fresh_id()
    return await _change("rerun", lambda is_again: {"pairs": [(id, new_id)]})


def failure_of(id: str, function: str, state: str, error: str | bytes | None) -> ExecutionFailed:
    """Return the error of an execution that ended without a result, with what its function raised."""
    if error is None:
        return ExecutionFailed(f"{function}, id {id}, was {state}", execution_id=id, state=state)
    raised = msgspec.json.decode(error, type=ExecutionError)
    failed = ExecutionFailed(
        f"{function}, id {id}, {state}: {raised.type}: {raised.message}",
        execution_id=id,
        state=state,
        remote_traceback=raised.traceback or None,
        where=raised.location,
        mend=f"see `defer show {id}`",
    )
    if raised.traceback:
        failed.add_note(f"\nWhat {function} raised:\n{raised.traceback}")
    return failed


async def _change(name: str, build: Callable[[bool], dict[str, Any]]) -> Execution:
    (change,) = msgspec.convert(await _sent(name, build), list[Change])
    return change.changed()


async def _ask(name: str, **parameters: Any) -> Any:
    return await _sent(name, lambda is_again: parameters)


async def _sent(name: str, build: Callable[[bool], dict[str, Any]]) -> Any:
    desk = sender()
    errand = Errand(
        lane_for_ids(), desk, lambda number, is_again: Ask(number, name, build(is_again)), f"the answer to {name!r}"
    )
    desk.put(errand)
    await errand
    outcome = errand.outcome
    if isinstance(outcome, DeferError):
        raise copy.copy(outcome)
    if not isinstance(outcome, Answer):
        raise Unconfirmed(f"the answer to {name!r} is not known in this process")
    return outcome.value


def _asked(page: Page | None, filters: Filters | None) -> dict[str, Any]:
    return {
        "page": msgspec.to_builtins(page or Page()),
        "filters": msgspec.to_builtins(filters or Filters()),
    }


def _listing(data: Any, kind: type[T]) -> Listing[T]:
    items = [msgspec.convert(item, kind) for item in data["items"]]
    return Listing(items=items, page_info=msgspec.convert(data["page_info"], PageInfo))
