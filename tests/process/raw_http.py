"""A caller that writes bytes: what no client would send is sent, and what comes back is taken apart."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple

DEADLINE_SECONDS = 20.0
V2 = "/public/v2"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Caller:
    """One connection to the API at ``port``."""

    def __init__(self, port: int, *, host: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((host, port), timeout=DEADLINE_SECONDS)
        self.port = port
        self._file = self.socket.makefile("rb")

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def write(self, *parts: bytes) -> None:
        """Send bytes; a peer that has hung up meanwhile is no fault."""
        with suppress(ConnectionError):
            for part in parts:
                self.socket.sendall(part)

    def read(self) -> Answer | None:
        """Return the next answer; None when the peer has hung up."""
        try:
            head = self._file.readline()
            if not head:
                return None
            headers = {}
            while (line := self._file.readline()) not in (b"\r\n", b""):
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip()
            return Answer(int(head.split()[1]), headers, self._file.read(int(headers.get("content-length", 0))))
        except ConnectionError:
            return None

    def read_nothing(self, *, seconds: float = 0.2) -> bool:
        """Return whether nothing comes for a while."""
        return not select.select([self.socket], [], [], seconds)[0]

    def request(
        self, method: str, path: str | bytes, body: bytes = b"", headers: Iterable[tuple[str, str]] | None = None
    ) -> bytes:
        """Return the bytes of a request; ``headers`` instead of a right Host."""
        target = path.encode() if isinstance(path, str) else path
        given = [("Host", f"127.0.0.1:{self.port}")] if headers is None else list(headers)
        lines = [f"{name}: {value}\r\n".encode("latin-1") for name, value in given]
        return b"".join(
            [method.encode(), b" ", target, b" HTTP/1.1\r\n", *lines, b"Content-Length: %d\r\n\r\n" % len(body), body]
        )

    def ask(self, method: str, path: str | bytes, body: bytes = b"", headers: Any = None) -> Answer:
        """Send one request; return its answer, which has to come."""
        self.write(self.request(method, path, body, headers))
        answer = self.read()
        assert answer is not None, f"no answer to {method} {path!r}"
        return answer

    def enqueue(self, function: str, *arguments: object) -> Answer:
        return self.ask("PUT", f"{V2}/executions", call(function, *arguments))


def call(function: str, *arguments: object) -> bytes:
    return json.dumps({"function_name": function, "function_arguments": arguments}).encode()
