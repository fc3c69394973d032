"""A process that floods an API: many sockets, each as slow as it is let; one that is hung up on comes again.

Those that send much at once do so once: what is tried is how much is held for them, not how fast the machine is.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys

_PAUSE_SECONDS = 0.5
_TURNS = 20
"""They do not all speak at once: that would be a burst, and what is tried is slowness."""
_PUT = b"PUT /public/v2/executions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
_ASK = b"GET /public/v2/executions/%b/arguments HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

_ALMOST = 1_100_000
_MUCH = 2_000
OPENINGS = {
    "heads": b"G",
    "bodies": _PUT + b"Content-Length: 1000\r\n\r\n{",
    "chunks": _PUT + b"Transfer-Encoding: chunked\r\n\r\n",
    "large bodies": _PUT + b"Content-Length: 1100001\r\n\r\n" + b" " * _ALMOST,
    "silence": b"",
}
MORE = {"heads": b"a", "bodies": b" ", "chunks": b"1\r\n \r\n"}


class Slow:
    """One socket; ``opening`` is what it says at once, ``more`` what it says now and then. It never reads."""

    def __init__(self, port: int, opening: bytes, more: bytes) -> None:
        self._port, self._opening, self._more = port, opening, more
        self.ends = 0
        self.is_over = False
        self._open()

    def _open(self) -> None:
        self._left = memoryview(self._opening)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self._socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            self._socket.connect(("127.0.0.1", self._port))

    def step(self) -> None:
        try:
            while self._left:
                self._left = self._left[self._socket.send(self._left) :]
            if self._more:
                self._socket.send(self._more)
            elif self._is_hung_up_on():
                raise ConnectionError
        except BlockingIOError:
            pass
        except OSError:
            self.ends += 1
            self._socket.close()
            if len(self._opening) < _MUCH:
                self._open()
            else:
                self.is_over = True

    def _is_hung_up_on(self) -> bool:
        poll = select.poll()
        poll.register(self._socket, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
        return bool(poll.poll(0))


def main(port: int, count: int, kinds: list[str]) -> None:
    """Flood until the input ends; then print how often a socket was hung up on."""
    slow = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        opening = _ASK % kind.encode() * 30 if kind not in OPENINGS else OPENINGS[kind]
        slow.append(Slow(port, opening, MORE.get(kind, b"")))
    for one in slow:
        one.step()
    print("begun", flush=True)
    turn = 0
    while not select.select([sys.stdin], [], [], _PAUSE_SECONDS / _TURNS)[0]:
        turn = (turn + 1) % _TURNS
        for one in slow[turn::_TURNS]:
            if not one.is_over:
                one.step()
    print(sum(one.ends for one in slow), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
