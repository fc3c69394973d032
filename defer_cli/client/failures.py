"""The error of an execution that ended without a result, as whoever waited for it sees it."""

from __future__ import annotations

import msgspec

from defer_cli.domain.errors import ExecutionFailed
from defer_cli.domain.execution import ExecutionError

_FAILED = f"{ExecutionFailed.__module__}.{ExecutionFailed.__qualname__}"


def failure_of(id: str, function: str, state: str, error: str | bytes | None) -> ExecutionFailed:
    """Return the error of an execution that ended without a result, with what its function raised."""
    if error is None:
        return ExecutionFailed(f"{function}, id {id}, was {state}", execution_id=id, state=state)
    raised = msgspec.json.decode(error, type=ExecutionError)
    is_of_another = raised.type == _FAILED  # which says where, and how to see more
    failed = ExecutionFailed(
        f"{function}, id {id}, {state}: " + (raised.message if is_of_another else f"{raised.type}: {raised.message}"),
        execution_id=id,
        state=state,
        error_code=raised.code,
        remote_type=raised.type,
        remote_message=raised.message,
        remote_traceback=raised.traceback or None,
        where=None if is_of_another else raised.location,
        mend=None if is_of_another else f"see `defer show {id}`",
    )
    if raised.traceback:
        failed.add_note(f"\nWhat {function} raised:\n{raised.traceback.rstrip()}")
    return failed
