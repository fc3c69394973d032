"""What a program may ask of executions and change about them, by id, over the way its calls travel.

Each answer is waited for at most 30 s, a lost connection and a runner that starts again included. Beyond what they
name, all raise ``NoRunner`` when none is alive, ``Unconfirmed`` when no answer came in time, and ``SettingError``
for what is no id, page, filter or time, and where there is no project; nothing was sent then.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, TypeVar

import msgspec

from defer_cli.client.delivery import LONGEST_WAIT_SECONDS
from defer_cli.client.failures import failure_of
from defer_cli.client.fresh_ids import fresh_id
from defer_cli.client.lanes import Lane, lane_for_lists, lanes_for_ids
from defer_cli.client.process import sender
from defer_cli.client.shipments import Question
from defer_cli.domain.call_options import checked_when
from defer_cli.domain.changes import Change
from defer_cli.domain.duration import When
from defer_cli.domain.errors import (
    DeferError,
    ExecutionNotFound,
    ExecutionResultNotAvailable,
    ExecutionResultNotAvailableYet,
    NoRunner,
    SettingError,
    Unconfirmed,
)
from defer_cli.domain.execution import Attempt, Execution, to_microseconds
from defer_cli.domain.ids import is_id
from defer_cli.domain.paging import Filters, Listing, Page, PageInfo
from defer_cli.domain.states import State
from defer_cli.link.frames import Answer, Ask

T = TypeVar("T")
_MICROSECOND = timedelta(microseconds=1)
_LONGEST_SHOWN = 60


async def get_execution(id: str) -> Execution:
    """Return an execution as it is now; ``<id>.<n>`` is its n-th attempt. Raises ``ExecutionNotFound``."""
    id = _checked_id(id)
    return _read(await _ask(f"show execution {id}", "execution", id), Execution)


async def get_execution_result(id: str) -> Any:
    """Return what the function returned.

    Raises ``ExecutionResultNotAvailableYet`` before its end, ``ExecutionResultNotAvailable`` when it never will have
    one, ``ExecutionFailed`` with the function's error, and ``ExecutionNotFound``.
    """
    id = _checked_id(id)
    ending = await _ask(f"give the result of execution {id}", "ending", id)
    state, where = ending["state"], f"execution {id}"
    if state == State.SUCCEED:
        return None if ending["result"] is None else json.loads(ending["result"])
    if state == State.FAILED:
        raise failure_of(id, ending["function"], state, ending["error"])
    if _read(state, State).is_final:
        raise ExecutionResultNotAvailable(f"it was {state} and has no result", state=state, where=where)
    raise ExecutionResultNotAvailableYet(
        f"it is in {state} state and has no result yet", state=state, where=where, mend="await it, or ask again later"
    )


async def list_executions(page: Page | None = None, filters: Filters | None = None) -> Listing[Execution]:
    """Return a page of executions, newest first: 50 unless ``page`` says otherwise."""
    asked = _asked(page, filters)
    ask = _sent(lane_for_lists(), "executions", lambda is_again: asked, "list executions", deadline=_deadline())
    return _listing(await ask, Execution)


async def list_execution_attempts(
    id: str, page: Page | None = None, filters: Filters | None = None
) -> Listing[Attempt]:
    """Return a page of the attempts of an execution, newest first. Raises ``ExecutionNotFound``."""
    id = _checked_id(id)
    return _listing(await _ask(f"list the attempts of execution {id}", "attempts", id, _asked(page, filters)), Attempt)


async def cancel_execution(id: str, *, force: bool = False) -> Execution:
    """Cancel an execution that waits; with ``force`` also abort one that runs, which then ends a little later.

    Raises ``ExecutionNotCancellable``, ``ExecutionAbortingAlreadyInProgress`` and ``ExecutionNotFound``.
    """
    id = _checked_id(id)
    if not isinstance(force, bool):
        raise SettingError(f"force is {force!r}, a {type(force).__name__}", where="force", mend="use True or False")
    return await _change(
        "cancel",
        lambda is_again: {"ids": [id], "is_forced": force, "is_again": is_again},
        purpose=f"cancel execution {id}",
        doubt=f"unknown whether execution {id} was cancelled",
    )


async def reschedule_execution(id: str, when: When | None = None) -> Execution:
    """Give an execution that waits another time: a span from now, an aware datetime, None for now.

    Its ``discard_after`` stays as it is. Raises ``ExecutionNotReschedulable`` and ``ExecutionNotFound``.
    """
    id = _checked_id(id)
    moment = None if when is None else checked_when(when, where="when")
    if isinstance(moment, datetime):
        scheduled_us: int | None = to_microseconds(moment)
    else:
        scheduled_us = None if moment is None else lanes_for_ids()[0].now_us() + moment // _MICROSECOND
    return await _change(
        "reschedule",
        lambda is_again: {"ids": [id], "scheduled_us": scheduled_us, "is_again": is_again},
        purpose=f"reschedule execution {id}",
        doubt=f"unknown whether execution {id} was rescheduled",
    )


async def rerun_execution(id: str) -> Execution:
    """Call the function once more with the same arguments and metadata, whatever the state; return the new execution.

    Raises ``ExecutionNotFound``.
    """
    id = _checked_id(id)
    new_id = fresh_id()
    return await _change(
        "rerun",
        lambda is_again: {"pairs": [(id, new_id)]},
        purpose=f"rerun execution {id}",
        doubt=f"unknown whether execution {id} was run once more, as {new_id}",
    )


async def _ask(purpose: str, name: str, id: str, more: Mapping[str, Any] = {}) -> Any:
    parameters, deadline = {"id": id, **more}, _deadline()
    return await _wherever(
        lambda lane: _sent(lane, name, lambda is_again: parameters, purpose, deadline=deadline),
    )


async def _change(name: str, build: Callable[[bool], dict[str, Any]], *, purpose: str, doubt: str) -> Execution:
    deadline = _deadline()

    async def change(lane: Lane) -> Execution:
        (change,) = _read(await _sent(lane, name, build, purpose, doubt=doubt, deadline=deadline), list[Change])
        return change.changed()

    return await _wherever(change)


async def _wherever(ask: Callable[[Lane], Awaitable[T]]) -> T:
    """Return what the project says that knows the execution; most processes have functions of one project only."""
    problem: DeferError | None = None
    for lane in lanes_for_ids():
        try:
            return await ask(lane)
        except ExecutionNotFound as error:
            problem = problem or error
        except NoRunner as error:  # it may be there: nobody can say that it is nowhere
            problem = error
    assert problem is not None
    raise problem


async def _sent(
    lane: Lane,
    name: str,
    build: Callable[[bool], dict[str, Any]],
    purpose: str,
    *,
    doubt: str = "",
    deadline: float,
) -> Any:
    """Return the answer to a question or a change; ``build`` is told whether it may have been sent before."""
    desk = sender()
    question = Question(
        lane, desk, lambda number, is_again: Ask(number, name, build(is_again)), purpose, doubt=doubt, deadline=deadline
    )
    desk.ask(question)
    await question
    outcome = question.outcome
    if isinstance(outcome, DeferError):
        raise copy.copy(outcome)
    if outcome is None:  # this thread brings the answers and cannot wait for one, or another kind of loop lost patience
        raise Unconfirmed(f"no answer was waited for: {doubt or f'cannot {purpose}'}")
    if not isinstance(outcome, Answer):
        raise DeferError("the runner's answer is not one to a question", mend="use one version of defer in both")
    return outcome.value


def _deadline() -> float:
    return monotonic() + LONGEST_WAIT_SECONDS


def _checked_id(id: object) -> str:
    """Return ``id`` when it has the form of one, or of an attempt's; no other text names an execution."""
    if not isinstance(id, str):
        raise SettingError(f"id is a {type(id).__name__}", where="id", mend="pass the text: `call.id`, `execution.id`")
    whole, dot, number = id.partition(".")
    if not is_id(whole) or (dot and not (number.isascii() and number.isdecimal())):
        shown = repr(id) if len(id) <= _LONGEST_SHOWN else f"{id[:_LONGEST_SHOWN]!r}…"
        raise ExecutionNotFound(
            f"no execution has the id {shown}", mend="an id is 26 letters and digits, as `call.id` gives it"
        )
    return str.__str__(id)  # a plain one: subclasses do not travel


def _asked(page: object, filters: object) -> dict[str, Any]:
    return {
        "page": _plain(page, Page, "page", "Page(first=50)"),
        "filters": _plain(filters, Filters, "filters", 'Filters(states=["failed"])'),
    }


def _plain(value: object, kind: type, name: str, example: str) -> Any:
    if value is None:
        value = kind()
    if not isinstance(value, kind):
        raise SettingError(f"{name} is a {type(value).__name__}", where=name, mend=f"write {name}={example}")
    return msgspec.to_builtins(value, enc_hook=_exact)


def _exact(value: object) -> Any:
    """Return the plain form of what only behaves like a text, a mapping or a list."""
    if isinstance(value, str):
        return str.__str__(value)
    return dict(value) if isinstance(value, Mapping) else list(value)  # type: ignore[call-overload]  # checked before


def _read(data: Any, kind: type[T]) -> T:
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise DeferError(
            f"the runner's answer cannot be read: {error}", mend="use one version of defer in both"
        ) from None


def _listing(data: Any, kind: type[T]) -> Listing[T]:
    items = [_read(item, kind) for item in data["items"]]
    return Listing(items=items, page_info=_read(data["page_info"], PageInfo))
