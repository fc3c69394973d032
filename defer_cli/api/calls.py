"""From what a request says of a call to the call that is stored."""

from __future__ import annotations

import re
from datetime import datetime
from difflib import get_close_matches

from msgspec import Raw

from defer_cli.api.bodies import EnqueueBody, plain
from defer_cli.api.failures import Refusal, shortened
from defer_cli.client.fresh_ids import fresh_id
from defer_cli.domain.call_options import checked_key, checked_metadata
from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.errors import ArgumentError
from defer_cli.domain.execution import to_microseconds
from defer_cli.domain.function import FunctionSpec
from defer_cli.domain.ids import is_id, keyed_id
from defer_cli.domain.traces import carried
from defer_cli.intake import LONGEST_NAME, fit_arguments
from defer_cli.web.backend import Backend

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def call_of(body: EnqueueBody, backend: Backend, *, trace: str | None = None) -> Enqueue:
    """Return a call as it is stored, made in ``trace`` unless it says otherwise.

    Raises ``DeferError`` with the field that is wrong.
    """
    spec = function_of(body.function_name, backend)
    return Enqueue(
        _id_of(body, spec.name),
        spec.name,
        _arguments_of(spec, body.function_arguments, body.keyword_arguments),
        backend.now_us() if body.called_at is None else to_microseconds(body.called_at),
        scheduled_us=_microseconds(body.schedule_for),
        discard_us=_microseconds(body.discard_after),
        metadata=dict(checked_metadata(body.metadata)) if body.metadata else None,
        key=body.key,
        trace=carried(body.traceparent, body.tracestate) or trace,
    )


def function_of(name: str, backend: Backend) -> FunctionSpec:
    """Return the function a caller means: by its name, or by the snake_case of a camelCase one."""
    functions = backend.functions
    spec = functions.get(name)
    if spec is None and len(name) <= LONGEST_NAME:
        spec = functions.get(snake_case(name))
    if spec is None:
        near = get_close_matches(snake_case(name), functions, n=1) if len(name) <= LONGEST_NAME else []
        raise Refusal(
            400,
            f'cannot find function "{shortened(name)}"',
            mend=f"did you mean {near[0]}?" if near else None,
            kind="CallRefused",
        )
    if spec.kind == "cron":
        raise Refusal(
            400,
            f'"{spec.name}" is a cron, which takes no calls',
            mend=f"run it with `defer trigger {spec.name}`",
            kind="CallRefused",
        )
    return spec


def snake_case(name: str) -> str:
    """Return the Python form of a JavaScript name: ``computeUserID`` is ``compute_user_id``."""
    return _WORDS.sub("_", name).lower()


def _id_of(body: EnqueueBody, function: str) -> str:
    id = body.id
    if body.key is not None:
        of_key = keyed_id(function, checked_key(body.key))
        if id is not None and id != of_key:
            raise Refusal(
                400, f"the key {body.key!r} of {function} stands for another id", where="id", mend="leave it out"
            )
        return of_key
    if id is None:
        return fresh_id()
    if not is_id(id):
        raise Refusal(400, f"{shortened(id)!r} is no id", where="id", mend="26 letters and digits, or none")
    return id


def _arguments_of(spec: FunctionSpec, positional: Raw, named: Raw) -> bytes:
    args = plain(positional, where="function_arguments")
    kwargs = plain(named, where="keyword_arguments")
    if not isinstance(args, list | None):
        raise Refusal(400, "it is not an array", where="function_arguments")
    if not isinstance(kwargs, dict | None):
        raise Refusal(400, "it is not an object", where="keyword_arguments")
    try:
        return fit_arguments(spec, args or [], kwargs or {})
    except ArgumentError as error:
        error.where = "function_arguments"
        raise


def _microseconds(moment: datetime | None) -> int | None:
    return None if moment is None else to_microseconds(moment)
