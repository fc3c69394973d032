"""What the runner tells a worker's loop to do: the loop reads it itself, no thread stands between."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from defer_cli.link.frames import FrameReader, Order
from defer_cli.link.reading import READ_BYTES


class Orders:
    """The worker's end: ``take`` gets the frames in the order in which they were sent, on the loop."""

    def __init__(self, end: socket.socket, loop: asyncio.AbstractEventLoop, take: Callable[[list[Any]], None]) -> None:
        self._socket = end
        self._loop = loop
        self._take = take
        self._reader = FrameReader(Order)
        end.setblocking(False)
        loop.add_reader(end, self._read)

    def _read(self) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._take(self._reader.feed(data))
        else:  # the runner has gone: the thread that reads the pipe ends this process
            self._loop.remove_reader(self._socket)
