"""The worker's end of the pipe delivers replies on its own thread, in order, and tells when the runner has gone."""

from __future__ import annotations

import queue
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from defer_cli.link.frames import Answer, encode_frame
from defer_cli.workers.pipe import Pipe

SECONDS = 5.0


class Told(Pipe):
    """A pipe that keeps in order what it is told."""

    def __init__(self, end: socket.socket) -> None:
        self.told: queue.Queue[Any] = queue.Queue()
        super().__init__(end, lambda: self.told.put("closed"))

    def deliver(self, reply: Any) -> None:
        self.told.put(reply)

    def next(self) -> Any:
        return self.told.get(timeout=SECONDS)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_replies_are_delivered_in_order_and_then_the_end(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(b"".join(encode_frame(Answer(number, None)) for number in range(3)))
    pipe = Told(ours)

    assert [pipe.next() for _ in range(3)] == [Answer(0, None), Answer(1, None), Answer(2, None)]
    theirs.shutdown(socket.SHUT_RDWR)
    assert pipe.next() == "closed"
