"""A service manager at its socket: hears what a runner says of itself, as systemd would."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.process.harness import DEADLINE_SECONDS


class Manager:
    """What has come in, oldest first, each as its words."""

    def __init__(self, end: socket.socket, address: str) -> None:
        self._end = end
        self.address = address
        self.heard: list[dict[str, str]] = []

    def until(self, **words: str) -> dict[str, str]:
        """Return the next message that holds these words; an empty one holds for whatever it says."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            self._end.settimeout(max(deadline - time.monotonic(), 0.01))
            try:
                data = self._end.recv(65_536)
            except TimeoutError:
                raise TimeoutError(f"{words} was not said, but {self.heard}") from None
            message = dict(line.split("=", 1) for line in data.decode().split("\n"))
            self.heard.append(message)
            if all(name in message and wanted in {"", message[name]} for name, wanted in words.items()):
                return message

    def hears_for(self, seconds: float) -> list[dict[str, str]]:
        """Return what comes in within a span."""
        before = len(self.heard)
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._end.settimeout(left)
            try:
                data = self._end.recv(65_536)
            except TimeoutError:
                break
            self.heard.append(dict(line.split("=", 1) for line in data.decode().split("\n")))
        return self.heard[before:]


@contextmanager
def listening(address: str) -> Iterator[Manager]:
    """Listen at a path, or at an abstract address, which begins with ``@``."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind("\0" + address[1:] if address.startswith("@") else address)
        yield Manager(end, address)
