"""The worker's end of the pipe hands over what it has read in order, and wakes the loop once for it."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from defer_cli.link.frames import Answer, Cancel, CancelItem, encode_frame
from defer_cli.workers.pipe import Pipe

SECONDS = 5.0


class Told(Pipe):
    """A pipe that keeps in order what it is told, replies included."""

    def __init__(self, end: socket.socket) -> None:
        self.told: queue.Queue[Any] = queue.Queue()
        super().__init__(end, self.told.put, lambda: self.told.put("closed"))

    def deliver(self, reply: Any) -> None:
        self.told.put(reply)

    def next(self) -> Any:
        return self.told.get(timeout=SECONDS)


def cancel(seq: int) -> Cancel:
    return Cancel([CancelItem(seq, 1)])


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_frames_that_came_together_are_handed_over_together(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(b"".join(encode_frame(cancel(seq)) for seq in range(3)))
    pipe = Told(ours)

    assert pipe.next() == [cancel(0), cancel(1), cancel(2)]
    theirs.shutdown(socket.SHUT_RDWR)
    assert pipe.next() == "closed"


def test_a_reply_does_not_overtake_what_came_before_it(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(encode_frame(cancel(1)) + encode_frame(Answer(7, None)) + encode_frame(cancel(2)))
    pipe = Told(ours)

    assert [pipe.next() for _ in range(3)] == [[cancel(1)], Answer(7, None), [cancel(2)]]
    theirs.shutdown(socket.SHUT_RDWR)
    assert pipe.next() == "closed"


def test_who_gives_way_waits_for_what_is_on_its_way(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    pipe = Told(ours)
    sender = threading.Timer(0.05, lambda: theirs.sendall(encode_frame(cancel(1))))
    sender.start()
    deadline = time.monotonic() + SECONDS
    while pipe.passed_on == 0 and time.monotonic() < deadline:
        pipe.give_way(0)
    sender.join()

    assert pipe.next() == [cancel(1)]


def test_nobody_gives_way_for_what_was_passed_on_already(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(encode_frame(cancel(1)))
    pipe = Told(ours)
    pipe.next()
    waits: list[float | None] = []
    pipe._has_passed_on.wait = waits.append  # type: ignore[assignment]
    pipe.give_way(0)

    assert waits == []
