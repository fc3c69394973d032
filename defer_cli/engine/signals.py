"""The signals that end a runner: the first one asks, the second one insists."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

_ENDING = (signal.SIGTERM, signal.SIGINT)


def listen_to_signals(stop: asyncio.Event, hurry: asyncio.Event) -> Callable[[], None]:
    """Set ``stop`` on the first signal and ``hurry`` on the second; return what ends that."""
    loop = asyncio.get_running_loop()

    def take() -> None:
        if stop.is_set():
            hurry.set()
        stop.set()

    for number in _ENDING:
        loop.add_signal_handler(number, take)

    def forget() -> None:
        for number in _ENDING:
            loop.remove_signal_handler(number)

    return forget
