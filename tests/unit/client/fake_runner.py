"""A runner's socket without a runner: answers calls at once, or as a test tells it to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from msgspec import Struct

from defer_cli.domain.enqueue import Enqueue
from defer_cli.link.frames import PROTOCOL, Ended, Enqueued, Enqueues, FrameReader, Hello, ToRunner, Wait, encode_frame
from defer_cli.link.project import DataFolder
from defer_cli.link.sockets import listen

Answer = Callable[[Any], Struct | None]
DEADLINE_SECONDS = 20.0


def store(frame: Any) -> Struct | None:
    """Answer as a runner that stores every call, and whose functions all return 42."""
    if isinstance(frame, Enqueues):
        return Enqueued(frame.number, time.time_ns() // 1000, [None] * len(frame.calls))
    if isinstance(frame, Wait):
        return Ended(frame.number, frame.id, "succeed", b"42")
    return None


class FakeRunner:
    """Listens from ``with`` on; ``answer`` may be replaced at any time."""

    def __init__(self, folder: DataFolder, answer: Answer = store, *, protocol: int = PROTOCOL) -> None:
        self.folder = folder
        self.answer = answer
        self.frames: list[Any] = []
        self.pids: list[int] = []
        self._protocol = protocol
        self._changed = threading.Condition()
        self._ends: list[socket.socket] = []
        self._is_over = False

    def __enter__(self) -> Self:
        self.folder.create()
        self._listener = listen(self.folder.socket)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.die()

    def die(self) -> None:
        """Listen no more and close all connections."""
        if not self._is_over:
            self._is_over = True
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        self.hang_up()

    @property
    def calls(self) -> list[Enqueue]:
        """All calls that have arrived, those sent again included."""
        return [call for frame in list(self.frames) if isinstance(frame, Enqueues) for call in frame.calls]

    def hang_up(self) -> None:
        """Close all connections, as a runner that dies."""
        for end in self._ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._ends.clear()

    def until(self, is_so: Callable[[FakeRunner], bool]) -> None:
        """Wait until a frame makes ``is_so`` true."""
        with self._changed:
            assert self._changed.wait_for(lambda: is_so(self), DEADLINE_SECONDS), "it did not come about"

    def reply(self, message: Struct) -> None:
        """Send a late answer on every connection."""
        for end in self._ends:
            end.sendall(encode_frame(message))

    def _accept(self) -> None:
        while not self._is_over:
            try:
                end, _ = self._listener.accept()
            except OSError:
                return
            self._ends.append(end)
            threading.Thread(target=self._serve, args=(end,), daemon=True).start()

    def _serve(self, end: socket.socket) -> None:
        reader = FrameReader(ToRunner)
        try:
            while data := end.recv(1 << 18):
                for frame in reader.feed(data):
                    self._take(end, frame)
        except OSError:
            pass
        finally:
            end.close()

    def _take(self, end: socket.socket, frame: Any) -> None:
        with self._changed:
            self.frames.append(frame)
            if isinstance(frame, Hello):
                self.pids.append(frame.pid)
            self._changed.notify_all()
        answer = Hello(self._protocol, 1) if isinstance(frame, Hello) else self.answer(frame)
        if answer is not None:
            end.sendall(encode_frame(answer))
