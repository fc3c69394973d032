"""What a worker reports, as the outcome that is settled."""

from __future__ import annotations

from defer_cli.domain.execution import ErrorCode, ExecutionError
from defer_cli.domain.settle import Outcome, Raised, Returned
from defer_cli.link.frames import OutcomeItem


def outcome_of(item: OutcomeItem) -> Outcome:
    """Return what an attempt came to."""
    error = item.error
    if error is None:
        return Returned(item.result)
    return Raised(
        ExecutionError(
            code=ErrorCode.OUT_OF_MEMORY if error.type == "MemoryError" else ErrorCode.RAISED,
            type=error.type,
            message=error.message,
            traceback=error.traceback,
            location=error.location,
        ),
        error.is_retryable,
    )
