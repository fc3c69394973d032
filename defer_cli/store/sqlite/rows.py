"""Rows of the database as what they stand for."""

from __future__ import annotations

from typing import Any

import msgspec

from defer_cli.domain.execution import Attempt, Execution, ExecutionError, to_moment
from defer_cli.domain.states import State

_STATES = {"retry": State.FAILED, "interrupt": State.ABORTED, "loss": State.ABORTED}
_OUTCOMES = {State.STARTED: "started", State.ABORTING: "started", State.FAILED: "fail"}
_decode_error = msgspec.json.Decoder(ExecutionError).decode
_decode_metadata = msgspec.json.Decoder(dict[str, str]).decode


def execution_of(row: tuple[Any, ...]) -> Execution:
    """Return the execution that a row of ``GET`` and its like tells of."""
    (
        id,
        function,
        state,
        attempt,
        created_us,
        scheduled_us,
        updated_us,
        started_us,
        finished_us,
        discard_us,
        metadata,
        came_from,
        parent,
        rerun_of,
        runner,
        charged,
        losses,
        isolation,
        error_code,
    ) = row
    return Execution(
        id=id,
        function=function,
        state=State(state),
        attempt=attempt,
        created_at=to_moment(created_us),
        scheduled_at=to_moment(scheduled_us),
        updated_at=to_moment(updated_us),
        started_at=None if started_us is None else to_moment(started_us),
        finished_at=None if finished_us is None else to_moment(finished_us),
        discard_after=None if discard_us is None else to_moment(discard_us),
        metadata={} if metadata is None else _decode_metadata(metadata),
        came_from=came_from,
        parent=parent,
        rerun_of=rerun_of,
        executed_by=runner,
        charged=charged,
        losses=losses,
        is_isolated=isolation > 0,
        error_code=error_code,
    )


def attempt_of(
    id: str,
    number: int,
    scheduled_us: int,
    started_us: int,
    finished_us: int | None,
    outcome: str,
    error: bytes | None,
    state: State | None = None,
) -> Attempt:
    """Return the attempt that a row of ``ATTEMPTS`` tells of."""
    return Attempt(
        id=f"{id}.{number}",
        number=number,
        state=state or _STATES[outcome],
        scheduled_at=to_moment(scheduled_us),
        started_at=to_moment(started_us),
        finished_at=None if finished_us is None else to_moment(finished_us),
        outcome=outcome,
        error=None if error is None else _decode_error(error),
    )


def last_attempt_of(
    id: str,
    number: int,
    scheduled_us: int,
    started_us: int,
    finished_us: int | None,
    state: str,
    error: bytes | None,
) -> Attempt:
    """Return the attempt that an execution's own row tells of."""
    last = State(state)
    return attempt_of(id, number, scheduled_us, started_us, finished_us, _OUTCOMES.get(last, state), error, last)
