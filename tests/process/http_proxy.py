"""A port between the library and a runner's API that loses a request before it is read, or an answer on its way."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self
from urllib.parse import urlsplit

Lost = Literal["request", "answer"]


class HttpProxy:
    """Passes requests on to ``target``, a URL; each thing it is told to ``lose`` is lost once, with its connection."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.lost = 0
        self.requests: list[str] = []
        self._losing: tuple[Lost, str] | None = None
        self._meanwhile: Callable[[], Any] = lambda: None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def lose(self, what: Lost, path: str, *, meanwhile: Callable[[], Any] = lambda: None) -> None:
        """Lose the next request whose path ends so, or the answer to it, after doing ``meanwhile``."""
        self._losing, self._meanwhile = (what, path), meanwhile

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        address = urlsplit(self.target)
        place = (str(address.hostname), address.port or 80)
        with (
            caller,
            suppress(OSError),
            socket.create_connection(place) as runner,
            caller.makefile("rb") as asked,
            runner.makefile("rb") as told,
        ):
            while request := _message(asked, host=address.netloc):
                path = request.split(b" ", 2)[1].decode()
                self.requests.append(path)
                if self._loses("request", path):
                    return
                runner.sendall(request)
                answer = _message(told)
                if self._loses("answer", path):
                    return
                caller.sendall(answer)

    def _loses(self, what: Lost, path: str) -> bool:
        if self._losing is None or self._losing[0] != what or not path.endswith(self._losing[1]):
            return False
        self._losing = None
        self._meanwhile()
        self.lost += 1
        return True


def _message(stream: BinaryIO, *, host: str = "") -> bytes:
    """Read one request or answer whole, a request as if it were sent to ``host``; empty at the end of the stream."""
    head = b""
    size = 0
    while line := stream.readline():
        name, _, value = line.partition(b":")
        head += f"host: {host}\r\n".encode() if name.lower() == b"host" else line
        if name.lower() == b"content-length":
            size = int(value)
        if line == b"\r\n":
            return head + stream.read(size)
    return b""
