"""What answers carry: executions and lists in the form of the v2 API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from defer_cli.domain.enqueue import Enqueue, Stored
from defer_cli.domain.execution import Attempt, Execution, second_text, to_microseconds
from defer_cli.domain.ids import encode_id
from defer_cli.domain.states import State
from defer_cli.reports import as_data, as_execution

MomentText = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
StateText = Annotated[str, Meta(extra_json_schema={"enum": [str(state) for state in State]})]
_LATEST_US = to_microseconds(datetime.max.replace(tzinfo=UTC))
_encode = msgspec.json.Encoder().encode


class ExecutionObject(Struct, kw_only=True):
    """An execution as the API shows it: the seven fields of the client first, then what we know besides."""

    id: str
    state: StateText
    function_name: str
    function_id: str
    scheduled_at: MomentText
    created_at: MomentText
    updated_at: MomentText
    attempt: int = 0
    started_at: MomentText | None = None
    finished_at: MomentText | None = None
    discard_after: MomentText | None = None
    metadata: Mapping[str, str] = {}
    came_from: str = "call"
    parent: str | None = None
    rerun_of: str | None = None
    executed_by: str | None = None
    charged: int = 0
    losses: int = 0
    is_isolated: bool = False
    error_code: str | None = None


class ErrorObject(Struct, kw_only=True):
    """What an attempt failed with."""

    code: str
    type: str
    message: str
    traceback: str = ""
    location: str | None = None


class AttemptObject(ExecutionObject, kw_only=True):
    """One attempt, shown as an execution of its own: ``<id>.<number>``; ``outcome`` is the move that ended it."""

    number: int
    outcome: str
    error: ErrorObject | None = None


class FailedResult(Struct, kw_only=True):
    """The result of an execution that failed, in the form of a JavaScript error."""

    message: str
    stack: str
    name: str
    code: str
    location: str | None = None
    function_name: str


class BatchStored(Struct, kw_only=True):
    """One call of a batch that is on disk; not new: an earlier call has its id, and this is how it stands."""

    id: str
    state: StateText
    function_name: str
    function_id: str
    scheduled_at: MomentText
    created_at: MomentText
    updated_at: MomentText
    attempt: int
    is_new: bool


class PageInfoObject(Struct, kw_only=True):
    """Whether there is more on either side, and the cursors to go there."""

    has_next_page: bool
    has_prev_page: bool
    start_cursor: str | None = None
    end_cursor: str | None = None


@lru_cache(maxsize=4096)
def function_id(name: str) -> str:
    """Return the stable id of a function."""
    return encode_id(int.from_bytes(blake2b(name.encode(), digest_size=16, person=b"function").digest(), "big"))


def execution_object(told: Mapping[str, Any]) -> ExecutionObject:
    """Return an execution that was asked for as the API shows it."""
    return ExecutionObject(**_fields(told))


def attempt_object(whole: Execution, attempt: Attempt) -> AttemptObject:
    """Return an attempt as an execution of its own."""
    error = None if attempt.error is None else ErrorObject(**msgspec.to_builtins(attempt.error))
    fields = _fields(as_data(as_execution(whole, attempt)))
    return AttemptObject(number=attempt.number, outcome=attempt.outcome, error=error, **fields)


def stored_object(call: Enqueue, stored: Stored) -> ExecutionObject:
    """Return a new execution as the API shows it, without asking for it: nothing has happened to it yet."""
    discard_us = call.discard_us
    return ExecutionObject(
        id=stored.id,
        state=stored.state,
        function_name=call.function,
        function_id=function_id(call.function),
        scheduled_at=moment_text(stored.scheduled_us),
        created_at=moment_text(stored.created_us),
        updated_at=moment_text(stored.updated_us),
        discard_after=None if discard_us is None else moment_text(min(max(discard_us, 0), _LATEST_US)),
        metadata=call.metadata or {},
    )


def batch_object(call: Enqueue, stored: Stored) -> BatchStored:
    """Return what became of a call of a batch."""
    return BatchStored(
        id=stored.id,
        state=stored.state,
        function_name=call.function,
        function_id=function_id(call.function),
        scheduled_at=moment_text(stored.scheduled_us),
        created_at=moment_text(stored.created_us),
        updated_at=moment_text(stored.updated_us),
        attempt=stored.attempt,
        is_new=stored.is_new,
    )


@lru_cache(maxsize=64)
def moment_text(microseconds: int) -> str:
    """Return a moment as answers carry it; those of one call or batch are few."""
    seconds, rest = divmod(microseconds, 1_000_000)
    text = second_text(seconds)
    return f"{text}.{rest:06}Z" if rest else f"{text}Z"


class Json(Response):
    """An answer whose headers need no thought."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]


def data(content: Any, status: int = 200) -> Response:
    """Return an answer in its envelope."""
    return Json(_encode({"data": content}), status)


def listing(items: Sequence[Any], page_info: Mapping[str, Any]) -> Response:
    """Return one page of a list."""
    return Response(_encode({"data": items, "page_info": page_info}), media_type="application/json")


def bare(text: str | bytes, *, state: str | None = None) -> Response:
    """Return JSON that is the whole body; ``state`` of the execution travels as a header."""
    return Response(text, headers=None if state is None else {"defer-state": state}, media_type="application/json")


def _fields(told: Mapping[str, Any]) -> dict[str, Any]:
    name = told["function"]
    fields = {key: value for key, value in told.items() if key != "function"}
    return fields | {"function_name": name, "function_id": function_id(name)}
