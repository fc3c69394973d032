"""Every rule about what happens after a run, as one pure function."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from enum import Enum, IntEnum

from msgspec import Struct

from defer_cli.domain.execution import ErrorCode, ExecutionError
from defer_cli.domain.retry import NO_RETRY, RetryPolicy
from defer_cli.domain.states import State

_MICROSECOND = timedelta(microseconds=1)
LOSSES_TO_ISOLATE = 2
"""Runner deaths in a row that found an execution running: from so many on it is run isolated."""
LOSSES_TO_CHARGE = 3
"""From so many on, one that was isolated is charged with the runner's death."""


class Isolation(IntEnum):
    """Whether an execution is run alone in a process of its own, and why."""

    CLEARED = -1
    """It was a suspect and has ended an attempt by itself since. It is not isolated, unless it is suspected again."""
    NONE = 0
    SUSPECT = 1
    """A process died with it and others in it, or its runner did, again and again: perhaps because of it."""
    KILLER = 2
    """It was alone in its process when that died, or was suspected twice. It stays isolated until it ends."""


_AFTER_AN_END = {one: one for one in Isolation} | {Isolation.SUSPECT: Isolation.CLEARED}
_STARTED, _SUCCEED = State.STARTED, State.SUCCEED  # the enumeration is asked once, not at every end
_SUSPECTED_BEFORE = frozenset({Isolation.CLEARED, Isolation.KILLER})


class Running(Struct, eq=False, gc=False):
    """An attempt that was claimed: its lease (``seq``, ``attempt``) and what settling it needs."""

    seq: int
    id: str
    function: str
    attempt: int
    charged: int
    scheduled_us: int
    isolation: Isolation = Isolation.NONE
    losses: int = 0
    is_aborting: bool = False
    arguments: bytes | None = None
    metadata: bytes | None = None
    parent: str | None = None
    started_us: int = 0
    trace: str | None = None


class Returned(Struct, frozen=True, gc=False):
    """The function returned; ``result`` is JSON, None for None."""

    result: bytes | None = None


class Raised(Struct, frozen=True):
    """The function raised, its result was no JSON, or its arguments no longer fit."""

    error: ExecutionError
    is_retryable: bool = True


class Died(Struct, frozen=True):
    """Its process ended before it did; ``cause`` in words.

    ``was_alone``: nothing else had run in that process, so that its end is this execution's doing.
    """

    cause: str
    was_alone: bool = False


Outcome = Returned | Raised | Died


class Reason(Enum):
    """Why the runner ended the attempt; it decides, not what the function made of it."""

    MAX_DURATION = "max_duration"
    STOP = "stop"
    NEIGHBOUR = "neighbour"
    MEMORY = "memory"
    """It was alone, and took more than it may."""


class Move(Struct, frozen=True, gc=False):
    """One guarded change of an execution that has run, ready to be written.

    Like ``Running`` it is made at every execution: as a dataclass it would cost ten times as much.
    """

    name: str
    seq: int
    id: str
    attempt: int
    source: State
    target: State
    function: str
    at_us: int
    started_us: int = 0
    due_us: int | None = None
    """When this attempt had been scheduled for; ``scheduled_us`` is when the next one is."""
    scheduled_us: int | None = None
    is_delayed: bool = False
    charged: int = 0
    losses: int = 0
    isolation: Isolation = Isolation.NONE
    result: bytes | None = None
    error: ExecutionError | None = None


def settle(
    running: Running,
    outcome: Outcome,
    reason: Reason | None,
    *,
    policy: RetryPolicy,
    now_us: int,
    dice: Callable[[], float],
    max_duration_words: str = "",
) -> Move:
    """Return the move that ends this attempt."""
    if running.is_aborting:
        return _move(running, "aborted", State.ABORTED, now_us)
    if reason is Reason.MAX_DURATION:
        return _failed(running, _too_long(outcome, max_duration_words), now_us, policy, dice)
    if reason is Reason.MEMORY and isinstance(outcome, Died):
        too_much = ExecutionError(code=ErrorCode.OUT_OF_MEMORY, type="MemoryLimitExceeded", message=outcome.cause)
        return _failed(running, too_much, now_us, policy, dice, isolation=Isolation.KILLER)
    if isinstance(outcome, Returned):
        return succeed(running, outcome.result, now_us)
    if reason in {Reason.STOP, Reason.NEIGHBOUR}:  # whatever it raised, it was asked to end
        return _move(running, "interrupt", State.CREATED, now_us, isolation=running.isolation)
    if isinstance(outcome, Raised):
        return _failed(running, outcome.error, now_us, policy if outcome.is_retryable else NO_RETRY, dice)
    died = ExecutionError(code=ErrorCode.RAISED, type="ProcessDied", message=outcome.cause)
    if outcome.was_alone:
        return _failed(running, died, now_us, policy, dice, isolation=Isolation.KILLER)
    suspected = Isolation.KILLER if running.isolation in _SUSPECTED_BEFORE else Isolation.SUSPECT
    return _move(running, "interrupt", State.CREATED, now_us, isolation=suspected, error=died)


def succeed(running: Running, result: bytes | None, now_us: int) -> Move:
    """Return the move of an attempt that returned and was not asked to end: nearly all are."""
    return Move(
        "succeed",
        running.seq,
        running.id,
        running.attempt,
        _STARTED,
        _SUCCEED,
        running.function,
        now_us,
        running.started_us,
        running.scheduled_us,
        charged=running.charged,
        result=result,
    )


def aborted_instead(move: Move) -> Move:
    """Return the move that takes the place of one which came too late: an abort was on disk before it."""
    return Move(
        "aborted",
        move.seq,
        move.id,
        move.attempt,
        State.ABORTING,
        State.ABORTED,
        move.function,
        move.at_us,
        started_us=move.started_us,
        due_us=move.due_us,
    )


def _failed(
    running: Running,
    error: ExecutionError,
    now_us: int,
    policy: RetryPolicy,
    dice: Callable[[], float],
    *,
    isolation: Isolation | None = None,
) -> Move:
    wait = policy.delay_before(running.charged + 1, dice=dice)
    if wait is None:
        return _move(running, "fail", State.FAILED, now_us, error=error)
    return _move(
        running,
        "retry",
        State.CREATED,
        now_us,
        scheduled_us=now_us + wait // _MICROSECOND,
        used_retries=1,
        isolation=_AFTER_AN_END[running.isolation] if isolation is None else isolation,
        error=error,
    )


def _too_long(outcome: Outcome, max_duration_words: str) -> ExecutionError:
    raised = outcome.error if isinstance(outcome, Raised) else None
    return ExecutionError(
        code=ErrorCode.MAX_DURATION,
        type="MaxDurationExceeded",
        message=f"ran longer than its max_duration of {max_duration_words}",
        traceback=raised.traceback if raised else "",
        location=raised.location if raised else None,
    )


def _move(
    running: Running,
    name: str,
    target: State,
    now_us: int,
    *,
    scheduled_us: int | None = None,
    used_retries: int = 0,
    isolation: Isolation = Isolation.NONE,
    result: bytes | None = None,
    error: ExecutionError | None = None,
) -> Move:
    return Move(
        name,
        running.seq,
        running.id,
        running.attempt,
        State.ABORTING if running.is_aborting else State.STARTED,
        target,
        running.function,
        now_us,
        started_us=running.started_us,
        due_us=running.scheduled_us,
        scheduled_us=scheduled_us,
        is_delayed=scheduled_us is not None,
        charged=running.charged + used_retries,
        isolation=isolation,
        result=result,
        error=error,
    )
