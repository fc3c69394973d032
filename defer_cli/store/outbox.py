"""The part of a store that holds alerts until they have been sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from defer_cli.domain.alert import Alert, Grouping, News


class Outbox(Protocol):
    """Alerts on their way, inside the store's transactions. Every moment is microseconds since 1970."""

    def add(self, news: Sequence[News], *, channels: Sequence[str], grouping: Grouping) -> None:
        """Keep news for each channel, with what waits of the same kind and function."""

    def fail(self, counts: Mapping[str, int], *, at_us: int) -> None:
        """Know functions as failing, with how often they failed more; recoveries that wait are taken back."""

    def recover(self, function: str) -> tuple[int, int] | None:
        """Know a failing function as recovering; return since when it failed and how often, None when it was not."""

    def failing(self) -> list[str]:
        """Return the functions that have failed, and have not succeeded since."""

    def due(self, channel: str, *, now_us: int, limit: int) -> list[Alert]:
        """Return what may go out: those of the message that is to be sent again first, else up to ``limit`` others.

        News waits while older news of the same kind and function has been tried, and has not arrived.
        """

    def next_us(self, channel: str) -> int | None:
        """Return when something is due next; None: nothing waits."""

    def begin(self, alerts: Sequence[Alert], *, message: str, at_us: int) -> None:
        """Know these as going out together; they take in nothing more."""

    def sent(self, message: str, *, at_us: int) -> None:
        """Know a message as sent."""

    def put_off(self, message: str, *, until_us: int, problem: str) -> None:
        """Send a message again at ``until_us``."""

    def give_up(self, message: str, *, at_us: int, problem: str) -> None:
        """Never send a message again."""

    def interrupted(self, channel: str) -> list[str]:
        """Return the messages that were going out when the last runner ended."""

    def forget(self, *, before_us: int) -> None:
        """Delete what is older than a moment, whatever became of it."""
