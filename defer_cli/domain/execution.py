"""One call of a function, as a caller sees it, and what went wrong with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

from defer_cli.domain.states import State

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_moment(microseconds: int) -> datetime:
    """Return the aware UTC datetime of a stored moment (microseconds since 1970)."""
    return _EPOCH + timedelta(0, 0, microseconds)  # by position it takes a third less


def to_microseconds(moment: datetime) -> int:
    """Return a moment as it is stored: whole microseconds since 1970."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def rfc3339(moment: datetime, *, timespec: str = "auto") -> str:
    """Return a moment in UTC as RFC 3339 writes it; ``timespec`` as ``datetime.isoformat`` has it."""
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


@lru_cache(maxsize=64)
def second_text(seconds: int) -> str:
    """Return a moment (seconds since 1970) as RFC 3339 begins it; those that are asked for in a row are few."""
    return to_moment(seconds * 1_000_000).isoformat()[:19]


class ErrorCode(StrEnum):
    """Why an execution failed."""

    INTERNAL = "ER0000"
    MAX_DURATION = "ER0001"
    OUT_OF_MEMORY = "ER0002"
    RAISED = "ER0003"


class ExecutionError(Struct, frozen=True, kw_only=True):
    """What an attempt failed with; texts are cut at 64 KiB."""

    code: str
    type: str
    message: str
    traceback: str = ""
    location: str | None = None
    """``file:line`` of the user's own innermost frame, relative to the project."""


class Attempt(Struct, frozen=True, kw_only=True):
    """One try of an execution; its id is ``<execution id>.<number>``."""

    id: str
    number: int
    state: State
    """``failed`` when it was retried, ``aborted`` when it was interrupted or lost; else the execution's."""
    scheduled_at: datetime
    started_at: datetime
    finished_at: datetime | None = None
    outcome: str
    """The move that ended it, or ``started`` while it runs."""
    error: ExecutionError | None = None


class Execution(Struct, frozen=True, kw_only=True, gc=False):
    """One call of a function, from being stored to its end. Times are aware UTC datetimes."""

    id: str
    function: str
    state: State
    attempt: int
    created_at: datetime
    scheduled_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    discard_after: datetime | None = None
    metadata: dict[str, str] = {}
    came_from: str = "call"
    """``call``, ``tick`` or ``rerun``."""
    parent: str | None = None
    rerun_of: str | None = None
    executed_by: str | None = None
    """The name of the runner that started it last."""
    charged: int = 0
    losses: int = 0
    is_isolated: bool = False
    """Whether it is run alone in a process of its own: one died with it."""
    error_code: str | None = None
