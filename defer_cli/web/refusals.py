"""What the log says of refused requests: that there are some, never what they sent."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)
_SILENCE_SECONDS = 60.0


class RefusalLog:
    """Tells the first refusal of a kind at once, and those after it once a minute, counted."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[tuple[int, str], float] = {}
        self._untold: dict[tuple[int, str], int] = {}

    def tell(self, status: int, reason: str) -> None:
        """Note a refusal; ``reason`` is of our own words."""
        kind = (status, reason)
        now = self._clock()
        self._untold[kind] = self._untold.get(kind, 0) + 1
        if now - self._told.get(kind, float("-inf")) < _SILENCE_SECONDS:
            return
        self._told[kind] = now
        count = self._untold.pop(kind)
        _log.warning("requests refused over HTTP: %d with %d (%s)", count, status, reason)
