"""What a channel is, and what becomes of a message in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from email.message import Message
from typing import Protocol

from defer_cli.alerts.messages import Told


@dataclass(frozen=True, slots=True)
class Delivered:
    """The other side has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDelivered:
    """The other side does not have it."""

    problem: str
    retry_after: timedelta | None = None
    is_its_own: bool = False
    """Whether it lies in this very message; else the next one would fare the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain:
    """Nobody said whether the other side has it."""

    problem: str


Outcome = Delivered | NotDelivered | Uncertain


class Channel(Protocol):
    """A way to people, or to their machines."""

    @property
    def name(self) -> str:
        """What it is called in the store and in the log."""

    @property
    def knows_repeats(self) -> bool:
        """Whether who receives a message twice can tell: then it is sent again when its fate is uncertain."""

    def send(self, told: Sequence[Told], *, id: str, at: float) -> Outcome:
        """Send one message (``at``: seconds since 1970); takes up to a few seconds, and raises nothing."""


_ABOUT_THE_MESSAGE = (400, 413, 422)


def judged(status: int, headers: Message) -> Outcome:
    """Return what an answer means for the message."""
    if 200 <= status < 300:
        return Delivered()
    if 300 <= status < 400:
        return NotDelivered(problem=f"it answered {status}: redirects are not followed")
    return NotDelivered(
        problem=f"it answered {status}", retry_after=retry_after(headers), is_its_own=status in _ABOUT_THE_MESSAGE
    )


def retry_after(headers: Message) -> timedelta | None:
    """Return how long the other side asks to wait; None when it does not say so in seconds."""
    value = str(headers.get("retry-after", "")).strip()
    return timedelta(seconds=int(value)) if value.isdecimal() and len(value) < 7 else None
