"""The clock of a sandbox: it stands still until somebody moves it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from time import time_ns

from defer_cli.domain.call_options import checked_when
from defer_cli.domain.duration import When
from defer_cli.domain.errors import SettingError
from defer_cli.domain.execution import to_microseconds, to_moment

_MICROSECOND = timedelta(microseconds=1)


class Clock:
    """Begins at the moment the sandbox was opened and goes forward only."""

    def __init__(self) -> None:
        self._now_us = time_ns() // 1000
        self.on_move: Callable[[], None] = lambda: None

    @property
    def now(self) -> datetime:
        """The moment it stands at, in UTC."""
        return to_moment(self._now_us)

    def now_us(self) -> int:
        """Return the moment it stands at, in microseconds since 1970."""
        return self._now_us

    def move(self, when: When) -> None:
        """Move it on by a span, ``"1h"``, or to an aware datetime; what is due then runs when the sandbox is drained.

        Raises ``SettingError`` when that lies in the past.
        """
        moment = checked_when(when, where="when")
        now_us = self._now_us + moment // _MICROSECOND if isinstance(moment, timedelta) else to_microseconds(moment)
        if now_us < self._now_us:
            raise SettingError(
                f"{to_moment(now_us).isoformat()} is before the sandbox's now, {self.now.isoformat()}",
                where="when",
                mend="move the clock forward: what has happened stays",
            )
        self.move_to_us(now_us)

    def move_to_us(self, now_us: int) -> None:
        """Move it to a later moment; an earlier one changes nothing."""
        self._now_us = max(self._now_us, now_us)
        self.on_move()
