"""A socket between the library and a runner that loses a request before it is read, or an answer on its way back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from defer_cli.link.frames import Answer, Ask, FrameReader, FromRunner, ToRunner
from defer_cli.link.project import DataFolder
from defer_cli.link.sockets import connect, listen

_PREFIX = 4


class Proxy:
    """Passes frames on, both ways; each thing it is told to ``lose`` is lost once, and both sides with it."""

    def __init__(self, folder: Path, runner_socket: Path) -> None:
        self.folder = DataFolder(str(folder))
        self.lost = 0
        self._runner_socket = runner_socket
        self._losing: type[Ask | Answer] | None = None
        self._meanwhile: Callable[[], Any] = lambda: None

    def lose(self, kind: type[Ask | Answer], *, meanwhile: Callable[[], Any] = lambda: None) -> None:
        """Lose the next question or change, or the next answer to one, after doing ``meanwhile``."""
        self._losing, self._meanwhile = kind, meanwhile

    def __enter__(self) -> Self:
        self.folder.create()
        self._listener = listen(self.folder.socket)
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
            try:
                runner = connect(str(self._runner_socket), timeout_seconds=5)
            except OSError:  # none is alive just now
                caller.close()
                continue
            for source, target, kinds in ((caller, runner, ToRunner), (runner, caller, FromRunner)):
                threading.Thread(target=self._pass_on, args=(source, target, kinds), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, kinds: object) -> None:
        with suppress(OSError), source.makefile("rb") as stream:
            while head := stream.read(_PREFIX):
                frame = head + stream.read(int.from_bytes(head, "big"))
                (message,) = FrameReader(kinds).feed(frame)
                if self._losing is not None and isinstance(message, self._losing):
                    self._losing = None
                    self.lost += 1
                    self._meanwhile()
                    break
                target.sendall(frame)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()
