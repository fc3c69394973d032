"""A worker's loop reads what it is ordered to do, in order, however it was cut on the way."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from defer_cli.link.frames import Cancel, CancelItem, Stands, encode_frame
from defer_cli.workers.orders import Orders

DEADLINE_SECONDS = 10


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


async def test_frames_that_came_together_are_handed_over_together_and_one_in_parts_when_it_is_whole(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    taken: asyncio.Queue[list[Any]] = asyncio.Queue()
    frames = [Stands(1), Cancel([CancelItem(1, 1)]), Stands(2)]
    data = b"".join(encode_frame(frame) for frame in frames)
    Orders(ours, asyncio.get_running_loop(), taken.put_nowait)
    theirs.sendall(data[:-1])
    async with asyncio.timeout(DEADLINE_SECONDS):
        first = await taken.get()
        theirs.sendall(data[-1:])
        second = await taken.get()

    assert (first, second) == (frames[:2], frames[2:])


async def test_a_runner_that_has_gone_is_listened_to_no_more(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    loop = asyncio.get_running_loop()
    orders = Orders(ours, loop, lambda frames: None)
    theirs.close()
    orders._read()

    assert loop.remove_reader(ours) is False


async def test_waking_for_nothing_does_nothing(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = ends
    taken: list[Any] = []
    Orders(ours, asyncio.get_running_loop(), taken.append)._read()

    assert taken == []
