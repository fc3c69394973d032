"""The worker's end of its pipe: a thread that reads replies, and writes that never block the user's loop."""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from collections.abc import Callable

from msgspec import Struct

from defer_cli.client.routes import Route
from defer_cli.client.tracing import flush_spans
from defer_cli.link.frames import FrameReader, Reply, encode_frame
from defer_cli.link.reading import READ_BYTES

_SPANS_SECONDS = 0.8
"""Less than a runner that stops waits for its workers."""


class Pipe(Route):
    """What a worker reports and asks, and the replies: they are delivered on the reading thread, also while the loop is
    blocked by a function that waits for one."""

    def __init__(self, end: socket.socket, on_close: Callable[[], None]) -> None:
        super().__init__()
        self._socket = end
        self._on_close = on_close
        self._lock = threading.Lock()
        self._backlog: deque[bytes] = deque()
        self._bell = threading.Semaphore(0)
        threading.Thread(target=self._read, name="defer-pipe-reader", daemon=True).start()
        threading.Thread(target=self._write_backlog, name="defer-pipe-writer", daemon=True).start()

    def send(self, message: Struct) -> None:
        """Send a frame: at once when the pipe has room, else through the writing thread."""
        data = encode_frame(message)
        with self._lock:
            if not self._backlog:
                try:
                    sent = self._socket.send(data, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    sent = 0
                except OSError:  # the runner has gone: the reading thread ends this process
                    return
                if sent == len(data):
                    return
                data = data[sent:]
            self._backlog.append(data)
            self._bell.release()

    def _write(self, message: Struct) -> None:
        self.send(message)

    def _write_backlog(self) -> None:
        while True:
            self._bell.acquire()
            try:
                self._socket.sendall(self._backlog[0])
            except OSError:
                return
            with self._lock:
                self._backlog.popleft()

    def _read(self) -> None:
        reader = FrameReader(Reply)
        while True:
            try:
                data = self._socket.recv(READ_BYTES)
            except OSError:
                data = b""
            if not data:
                self._on_close()
                return
            for frame in reader.feed(data):
                self.deliver(frame)


def leave_now() -> None:
    """End this process: its runner has gone, or lets it go, and nothing it could still do would count."""
    flush_spans(_SPANS_SECONDS)
    os._exit(0)
