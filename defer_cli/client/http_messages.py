"""Frames as requests of the public API, and its answers as replies: what is above knows no difference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec
from msgspec import Raw, Struct

from defer_cli.client.http_session import ANSWER_SECONDS, Reply
from defer_cli.client.routes import ConnectionLost, Unreached
from defer_cli.domain.changes import Refusal
from defer_cli.domain.enqueue import Enqueue, Refused, Stored
from defer_cli.domain.errors import DeferError
from defer_cli.domain.execution import ExecutionError, to_microseconds, to_moment
from defer_cli.domain.states import State
from defer_cli.domain.traces import headers
from defer_cli.link.frames import Ask, Ended, Enqueued, Enqueues

LARGEST_BODY = 1024 * 1024
"""An API reads a little more, so that one call with the largest arguments gets through alone."""
_EXECUTIONS = "/public/v2/executions"
_OK = (200, 201)
_EPOCH = to_moment(0)
_ABSENT = Raw()
_encode = msgspec.json.encode


class Api(Protocol):
    """Where requests are sent to."""

    def send(self, method: str, path: str, body: bytes | None = None, *, seconds: float = ...) -> Reply:
        """Send one request and return its answer; raise ``DeferError`` when there is none."""

    def strange(self, reply: Reply) -> DeferError:
        """Return the error that stands for an answer that cannot be understood."""


# Calls.


class _Both(Struct):
    """Stored arguments of which some are given by keyword."""

    args: Raw
    kwargs: Raw


class _Outcome(Struct):
    """What became of one call of a batch: how it is stored, or why it is not."""

    id: str
    state: State | None = None
    attempt: int = 0
    created_at: datetime = _EPOCH
    scheduled_at: datetime = _EPOCH
    updated_at: datetime = _EPOCH
    is_new: bool = True
    message: str = ""
    detail: Refusal | None = None


def store_calls(api: Api, frame: Enqueues) -> Enqueued:
    """Store calls in their order, in as many requests as their size takes."""
    results: list[Stored | Refused | None] = []
    for calls in _portions([_encode(_call_body(call)) for call in frame.calls]):
        try:
            results += _stored(api, calls)
        except Unreached as error:
            if results:  # of this frame something has arrived
                raise ConnectionLost(error.problem, mend=error.mend) from None
            raise
        except ConnectionLost:
            raise
        except DeferError as error:
            if not results:
                raise
            refused = frame.calls[len(results) :]
            return Enqueued(
                frame.number, 0, [*results, *(Refused(one.id, error.problem, error.mend) for one in refused)]
            )
    return Enqueued(frame.number, 0, results)


def _stored(api: Api, calls: Sequence[bytes]) -> list[Stored | Refused]:
    reply = api.send("POST", f"{_EXECUTIONS}/batch", b'{"executions":[' + b",".join(calls) + b"]}")
    outcomes = _read(api, reply, list[_Outcome])
    if len(outcomes) != len(calls):
        raise api.strange(reply)
    return [_result(outcome) for outcome in outcomes]


def _call_body(call: Enqueue) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": call.id,
        "function_name": call.function,
        "function_arguments": Raw(call.arguments),
        "called_at": to_moment(call.called_us),
    }
    if call.arguments.startswith(b"{"):
        both = msgspec.json.decode(call.arguments, type=_Both)
        body |= {"function_arguments": both.args, "keyword_arguments": both.kwargs}
    if call.scheduled_us is not None:
        body["schedule_for"] = to_moment(call.scheduled_us)
    if call.discard_us is not None:
        body["discard_after"] = to_moment(call.discard_us)
    if call.metadata:
        body["metadata"] = call.metadata
    if call.key is not None:
        body["key"] = call.key
    return body | headers(call.trace) if call.trace else body


def _portions(calls: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Cut calls into runs that a body holds; one that is larger by itself goes alone."""
    start, size = 0, 0
    for place, call in enumerate(calls):
        size += len(call) + 1
        if size > LARGEST_BODY and place > start:
            yield calls[start:place]
            start, size = place, len(call) + 1
    yield calls[start:]


def _result(outcome: _Outcome) -> Stored | Refused:
    if outcome.state is None:
        refusal = outcome.detail or Refusal(kind="", problem=outcome.message)
        return Refused(outcome.id, refusal.problem, refusal.mend)
    return Stored(
        outcome.id,
        outcome.is_new,
        str(outcome.state),
        outcome.attempt,
        to_microseconds(outcome.created_at),
        to_microseconds(outcome.scheduled_at),
        to_microseconds(outcome.updated_at),
    )


# Questions and changes.


def answer(api: Api, ask: Ask) -> Any:
    """Answer a question, or make a change, as plain data; raise ``DeferError``."""
    ask_for = _ASKED.get(ask.name)
    if ask_for is None:
        raise DeferError(f"{ask.name!r} cannot be asked over HTTP", mend="use one version of defer in both")
    return ask_for(api, **ask.parameters)


def _execution(api: Api, id: str) -> Any:
    return _plain(_read(api, api.send("GET", f"{_EXECUTIONS}/{id}"), dict[str, Any]))


def _ending(api: Api, id: str) -> Any:
    found = _execution(api, id)
    told = {"function": found["function"], "state": found["state"], "result": None, "error": None}
    if found["state"] not in (State.SUCCEED, State.FAILED):
        return told
    if "." in id:
        return told | _ending_of_attempt(api, id, has_failed=found["state"] == State.FAILED)
    end = ends_of(api, [id], wait_seconds=0).get(id)
    if not isinstance(end, Ended):  # it was there just now, and is pruned
        raise end or DeferError(f"the end of {id} is not told")
    return told | {"result": end.result and end.result.decode(), "error": end.error and end.error.decode()}


def _ending_of_attempt(api: Api, id: str, *, has_failed: bool) -> dict[str, str]:
    reply = api.send("GET", f"{_EXECUTIONS}/{id}/results")
    if reply.status not in _OK:
        raise _error(api, reply)
    if has_failed:
        return {"error": _encode(_thrown(api, reply)).decode()}
    return {"result": reply.body.decode()}


def _thrown(api: Api, reply: Reply) -> ExecutionError:
    """Return what a function raised: the API tells it in the form of a JavaScript error."""
    fields = _decoded(api, reply, dict[str, Any])
    return ExecutionError(
        code=fields.get("code", ""),
        type=fields.get("name", ""),
        message=fields.get("message", ""),
        traceback=fields.get("stack", ""),
        location=fields.get("location"),
    )


def _executions(api: Api, page: Mapping[str, Any], filters: Mapping[str, Any]) -> Any:
    return _listing(api, _EXECUTIONS, page, filters)


def _attempts(api: Api, id: str, page: Mapping[str, Any], filters: Mapping[str, Any]) -> Any:
    return _listing(api, f"{_EXECUTIONS}/{id}/attempts", page, filters)


def _listing(api: Api, path: str, page: Mapping[str, Any], filters: Mapping[str, Any]) -> Any:
    asked = {"page": page, "filters": _filters_body(**filters)}
    reply = api.send("POST", path, _encode(asked))
    if reply.status not in _OK:
        raise _error(api, reply)
    told = _decoded(api, reply, dict[str, Any])
    if not isinstance(told.get("data"), list) or not isinstance(told.get("page_info"), dict):
        raise api.strange(reply)
    return {"items": [_plain(item) for item in told["data"]], "page_info": told["page_info"]}


def _filters_body(
    *,
    functions: Sequence[str],
    scheduled_at: Mapping[str, Any],
    started_at: Mapping[str, Any],
    metadata: Mapping[str, Sequence[str]],
    **same: Any,
) -> dict[str, Any]:
    spans = {"scheduled_at": scheduled_at, "started_at": started_at}
    return {
        "function_names": functions,
        **{name: {"from": span["from_"], "to": span["to"]} for name, span in spans.items()},
        "metadata": [{"key": key, "values": values} for key, values in metadata.items()],
        **same,
    }


def _cancel(api: Api, ids: Sequence[str], *, is_forced: bool, is_again: bool) -> Any:
    body = {"force": is_forced, "is_again": is_again}
    return [_changed(api, id, api.send("POST", f"{_EXECUTIONS}/{id}/cancellation", _encode(body))) for id in ids]


def _reschedule(api: Api, ids: Sequence[str], *, scheduled_us: int | None, is_again: bool) -> Any:
    moment = None if scheduled_us is None else to_moment(scheduled_us)
    body = {"schedule_for": moment, "is_again": is_again}
    return [_changed(api, id, api.send("PATCH", f"{_EXECUTIONS}/{id}/schedule", _encode(body))) for id in ids]


def _rerun(api: Api, pairs: Sequence[tuple[str, str]]) -> Any:
    return [
        _changed(api, id, api.send("POST", f"{_EXECUTIONS}/{id}/reruns", _encode({"id": new_id})))
        for id, new_id in pairs
    ]


def _changed(api: Api, id: str, reply: Reply) -> dict[str, Any]:
    if reply.status in _OK:
        return {"id": id, "execution": _plain(_read(api, reply, dict[str, Any])), "refusal": None}
    return {"id": id, "execution": None, "refusal": msgspec.to_builtins(Refusal.of(_error(api, reply)))}


_ASKED: Mapping[str, Callable[..., Any]] = {
    "execution": _execution,
    "ending": _ending,
    "executions": _executions,
    "attempts": _attempts,
    "cancel": _cancel,
    "reschedule": _reschedule,
    "rerun": _rerun,
}


# Ends.


class _End(Struct):
    """How an awaited execution ended, or why that cannot be told."""

    id: str
    state: State | None = None
    result: Raw = _ABSENT
    error: Raw = _ABSENT
    detail: Refusal | None = None


def ends_of(
    api: Api, ids: Iterable[str], *, wait_seconds: float, answer_seconds: float = ANSWER_SECONDS
) -> dict[str, Ended | DeferError]:
    """Return the ends of those that have ended, once there is one or the time is over; their number is 0."""
    body = _encode({"ids": list(dict.fromkeys(ids)), "wait": wait_seconds})
    reply = api.send("POST", f"{_EXECUTIONS}/endings", body, seconds=answer_seconds)
    return {end.id: _ended(end) for end in _read(api, reply, list[_End])}


def _ended(end: _End) -> Ended | DeferError:
    if end.state is None:
        return DeferError("no end is told") if end.detail is None else end.detail.error()
    return Ended(0, end.id, str(end.state), bytes(end.result) or None, bytes(end.error) or None)


# Answers.


def _plain(told: dict[str, Any]) -> dict[str, Any]:
    """Return an execution, or an attempt, by the names it has everywhere but on the wire."""
    return told | {"function": told.get("function_name")}


def _read(api: Api, reply: Reply, kind: Any) -> Any:
    """Return what an answer holds in its envelope; raise what it says, or that it says nothing we know."""
    if reply.status not in _OK:
        raise _error(api, reply)
    data = _decoded(api, reply, dict[str, Raw]).get("data")
    if data is None:
        raise api.strange(reply)
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError:
        raise api.strange(reply) from None


def _error(api: Api, reply: Reply) -> DeferError:
    detail = _decoded(api, reply, dict[str, Any]).get("detail")
    try:
        return msgspec.convert(detail, Refusal).error()
    except msgspec.ValidationError:
        return api.strange(reply)


def _decoded(api: Api, reply: Reply, kind: Any) -> Any:
    try:
        return msgspec.json.decode(reply.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise api.strange(reply) from None
