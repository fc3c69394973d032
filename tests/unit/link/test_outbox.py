"""What is sent from threads leaves whole and in order, also when the other side is slow."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from defer_cli.link.outbox import Outbox

_LARGE = 4 * 1024 * 1024


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


async def test_what_fits_leaves_on_the_callers_thread(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    outbox = Outbox(ours, asyncio.get_running_loop())
    await asyncio.to_thread(outbox.send, b"hello")

    assert theirs.recv(16, socket.MSG_DONTWAIT) == b"hello"
    outbox.close()


async def test_what_does_not_fit_leaves_in_order_by_the_loop(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    outbox = Outbox(ours, asyncio.get_running_loop())
    expected = b"".join(bytes([number]) * _LARGE for number in range(3))
    for number in range(3):
        await asyncio.to_thread(outbox.send, bytes([number]) * _LARGE)

    assert await asyncio.to_thread(_read, theirs, len(expected)) == expected
    outbox.close()


async def test_to_a_peer_that_has_gone_nothing_is_sent(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    outbox = Outbox(ours, asyncio.get_running_loop())
    theirs.close()

    outbox.send(b"hello")
    outbox.close()
    outbox.send(b"later")


async def test_one_that_is_closed_writes_to_no_other_file(ends: tuple[socket.socket, socket.socket]) -> None:
    outbox = Outbox(ends[0], asyncio.get_running_loop())
    outbox.close()
    others = socket.socketpair()  # one of the two has the number that the outbox had
    with others[0], others[1]:
        outbox.send(b"later")
        for other in others:
            other.setblocking(False)
            with pytest.raises(BlockingIOError):
                other.recv(1)


def _read(end: socket.socket, size: int) -> bytes:
    parts: list[bytes] = []
    while size and (part := end.recv(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
