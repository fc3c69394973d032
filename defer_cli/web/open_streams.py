"""The event streams that are open: there may be so many, and they end before the server does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

MOST_STREAMS = 100
_END_SECONDS = 0.5


class OpenStreams:
    """Counts streams; each looks for news several times a second."""

    def __init__(self) -> None:
        self.closing = asyncio.Event()
        """Set when all of them are to end: the server is about to stop."""
        self._count = 0
        self._none = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether one more would be too many."""
        return self._count >= MOST_STREAMS

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count one for the block."""
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._none.set()

    async def close(self) -> None:
        """Have all of them end, and wait a moment for those whose callers still read."""
        self.closing.set()
        self._none.clear()
        if self._count:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._none.wait(), _END_SECONDS)
