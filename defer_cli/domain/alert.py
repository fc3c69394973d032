"""Alerts: what people are told of, how much of it makes one message, how it goes out."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

_MICROSECOND = timedelta(microseconds=1)
_QUIET_SHARE = 12


class AlertKind(StrEnum):
    """What an alert is about."""

    FAILURE = "failure"
    RECOVERY = "recovery"
    """A function that people were told has failed succeeds again."""
    SUCCESS = "success"
    RELOAD = "reload"
    MISSED_TICK = "missed_tick"


class AlertState(StrEnum):
    """Where an alert is on its way; what has been tried once takes in no more."""

    WAITING = "waiting"
    """It takes in more of its kind until it is due."""
    GOING = "going"
    AGAIN = "again"
    """It did not arrive, and is sent again as it is."""
    SENT = "sent"
    GIVEN_UP = "given_up"


class News(Struct, frozen=True, kw_only=True):
    """Something that has happened ``count`` times to a function; ``facts`` are those of the first time."""

    kind: AlertKind
    function: str
    count: int = 1
    first_us: int
    last_us: int
    facts: dict[str, Any] = field(default_factory=dict)


class Alert(Struct, frozen=True, kw_only=True):
    """News on its way through one channel; those that go out together share a ``message``."""

    number: int
    kind: AlertKind
    function: str
    count: int
    first_us: int
    last_us: int
    facts: dict[str, Any]
    state: AlertState
    attempts: int = 0
    begun_us: int | None = None
    """When it was tried first."""
    message: str | None = None


class Grouping(Struct, frozen=True, kw_only=True):
    """How long what happens again to a function is taken into one message."""

    window: timedelta = timedelta(minutes=1)

    @property
    def window_us(self) -> int:
        """The window in microseconds."""
        return self.window // _MICROSECOND

    def due_us(self, kind: AlertKind, *, first_us: int, last_us: int, previous_us: int | None) -> int:
        """Return when news is to go out: soon after it has gone quiet, after a window at the latest.

        ``previous_us`` is when the last message about the same left: the next one waits for a window. A recovery waits
        for a window too, in which the function may fail again.
        """
        window_us = self.window_us
        quiet_us = window_us if kind is AlertKind.RECOVERY else window_us // _QUIET_SHARE
        due_us = min(last_us + quiet_us, first_us + window_us)
        return due_us if previous_us is None else max(due_us, previous_us + window_us)


class Undelivered(Struct, frozen=True, kw_only=True):
    """Alerts that have not arrived: those that wait, and those that were given up since a moment."""

    waiting: int = 0
    oldest_us: int | None = None
    """Since when the oldest of them waits."""
    given_up: int = 0
    problem: str | None = None
    """What the last one that did not go out ran into."""
