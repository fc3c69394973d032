"""The worker's end of its pipe: a thread that reads, and writes that never block the user's loop."""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from defer_cli.client.routes import Route
from defer_cli.client.tracing import flush_spans
from defer_cli.link.frames import Answer, Ended, Enqueued, Failure, FrameReader, ToWorker, encode_frame

_SPANS_SECONDS = 0.8
"""Less than a runner that stops waits for its workers."""
_LONGEST_WAY_SECONDS = 0.002
_REPLIES = (Enqueued, Ended, Answer, Failure)


class Pipe(Route):
    """Frames both ways. Replies to the route's requests are delivered on the reading thread."""

    def __init__(
        self, end: socket.socket, on_frames: Callable[[list[Any]], None], on_close: Callable[[], None]
    ) -> None:
        super().__init__()
        self._socket = end
        self._on_frames = on_frames
        self._on_close = on_close
        self._lock = threading.Lock()
        self._backlog: deque[bytes] = deque()
        self._bell = threading.Semaphore(0)
        self._has_passed_on = threading.Event()
        self.passed_on = 0
        """How often frames were passed on."""
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
        reader = FrameReader(ToWorker)
        while True:
            try:
                data = self._socket.recv(1 << 18)
            except OSError:
                data = b""
            if not data:
                self._on_close()
                return
            frames: list[Any] = []
            for frame in reader.feed(data):
                if isinstance(frame, _REPLIES):
                    self._pass_on(frames)
                    frames = []
                    self.deliver(frame)
                else:
                    frames.append(frame)
            self._pass_on(frames)

    def _pass_on(self, frames: list[Any]) -> None:
        """Wake the loop once for all that was read: beside a busy one, this thread waits long for each turn it gets."""
        if frames:
            self.passed_on += 1
            self._on_frames(frames)
            self._has_passed_on.set()

    def give_way(self, seen: int) -> None:
        """Let the reading thread have the interpreter, if it has passed on no more than the loop has ``seen``.

        A loop that computes in short slices takes it again each time before the thread is awake.
        """
        self._has_passed_on.clear()
        if self.passed_on == seen:
            self._has_passed_on.wait(_LONGEST_WAY_SECONDS)


def leave_now() -> None:
    """End this process: its runner has gone, or lets it go, and nothing it could still do would count."""
    flush_spans(_SPANS_SECONDS)
    os._exit(0)
