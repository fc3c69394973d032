"""Writing to a socket from any thread, at once when it has room, without ever blocking."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from contextlib import suppress
from threading import Lock
from typing import Protocol


class _Duplicable(Protocol):
    def dup(self) -> socket.socket: ...


class Outbox:
    """What is sent leaves in order; what the socket does not take now leaves when it can, by the loop.

    It has a descriptor of its own: the loop's transport only reads, and two must not watch one descriptor.
    """

    def __init__(self, end: _Duplicable, loop: asyncio.AbstractEventLoop) -> None:
        self._socket = end.dup()
        self._socket.setblocking(False)
        self._loop = loop
        self._lock = Lock()
        self._backlog: deque[memoryview] = deque()
        self._is_closing = False

    def send(self, data: bytes) -> None:
        """Send ``data``; to a peer that has gone nothing is sent. Any thread may call."""
        with self._lock:
            if self._is_closing:
                return
            sent = 0 if self._backlog else self._try(data)
            if sent == len(data):
                return
            self._backlog.append(memoryview(data)[sent:])
            if len(self._backlog) > 1:
                return
        with suppress(RuntimeError):  # the loop has closed: nobody is left to send for
            self._loop.call_soon_threadsafe(self._watch)

    def close(self) -> None:
        """Send nothing more; what still waited is dropped. Called on the loop."""
        with self._lock:
            self._is_closing = True
            self._backlog.clear()
        if self._socket.fileno() >= 0:
            self._loop.remove_writer(self._socket)
            self._socket.close()

    def _try(self, data: bytes | memoryview) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError:  # the reading side learns of it
            return len(data)

    def _watch(self) -> None:
        if not self._is_closing:
            self._loop.add_writer(self._socket, self._flush)

    def _flush(self) -> None:
        with self._lock:
            while self._backlog:
                data = self._backlog[0]
                sent = self._try(data)
                if sent < len(data):
                    self._backlog[0] = data[sent:]
                    return
                self._backlog.popleft()
        self._loop.remove_writer(self._socket)
