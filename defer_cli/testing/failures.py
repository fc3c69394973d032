"""What a drain raises: the failure as the library tells it, caused by what the function raised."""

from __future__ import annotations

import os
from collections.abc import Sequence

from defer_cli.domain.errors import ExecutionFailed
from defer_cli.domain.settle import Move

_LIBRARY = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def failure(failed: Sequence[Move]) -> ExecutionFailed:
    """Return the error of a drain after which these executions have failed; it tells of the first."""
    first = failed[0]
    raised = first.error
    assert raised is not None
    error = ExecutionFailed(
        f"{first.function}, id {first.id}, failed: {raised.type}: {raised.message}",
        execution_id=first.id,
        state=first.target,
        remote_traceback=raised.traceback or None,
        where=raised.location,
        mend="pass check=False to drain() when it is meant to fail",
    )
    if first.attempt > 1:
        error.add_note(f"This is what attempt {first.attempt} raised; no retry was left.")
    if len(failed) > 1:
        error.add_note(f"{len(failed):,} executions failed, this is the first.")
    return error


def without_our_frames(raised: BaseException | None) -> BaseException | None:
    """Return an exception with a traceback that begins in the user's code."""
    if raised is None:
        return None
    trace = raised.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_LIBRARY):
        trace = trace.tb_next
    return raised.with_traceback(trace)
