"""The door lets a crowd in, and turns away whom it cannot serve."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from defer_cli.engine.door import Door
from defer_cli.link.frames import PROTOCOL, Hello, encode_frame
from defer_cli.link.sockets import connect, listen

DEADLINE_SECONDS = 10.0
_OTHERS = 256


class Nothing:
    """Stands for parts that no test here reaches."""


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[str]:
    path = str(tmp_path / "runner.sock")
    with listen(path) as listener:
        nothing: Any = Nothing()
        door = Door(listener, nothing, nothing)
        await door.open()
        yield path
        await door.close()
        await asyncio.sleep(0)  # asyncio closes a transport one turn later


@pytest.fixture
def room_for_one() -> Iterator[None]:
    """Leave descriptors for one caller, and for nobody after it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OTHERS + 2, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_crowd_that_comes_at_once_is_let_in(path: str) -> None:
    with ExitStack() as stack:  # the loop takes nobody in while this test connects
        ends = [stack.enter_context(connect(path, timeout_seconds=0.05)) for _ in range(200)]
        greetings = await asyncio.gather(*[greeted(end) for end in ends[:: len(ends) - 1]])

    assert all(greetings)


async def test_who_would_take_the_last_descriptors_is_turned_away(path: str, room_for_one: None) -> None:
    with connect(path, timeout_seconds=DEADLINE_SECONDS) as first:
        was_greeted = await greeted(first)
        with connect(path, timeout_seconds=DEADLINE_SECONDS) as second:
            assert (was_greeted, await greeted(second)) == (True, False)


async def test_a_caller_without_a_descriptor_is_turned_away(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: Any) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    faults: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context))
    monkeypatch.setattr("defer_cli.engine.door.Outbox", fail)
    with connect(path, timeout_seconds=DEADLINE_SECONDS) as end:
        was_greeted = await greeted(end)

    assert (was_greeted, faults) == (False, [])


async def greeted(end: socket.socket) -> bool:
    """Say hello; return whether an answer came before the end."""
    return await asyncio.to_thread(_greeted, end)


def _greeted(end: socket.socket) -> bool:
    end.settimeout(DEADLINE_SECONDS)
    try:
        end.sendall(encode_frame(Hello(PROTOCOL, os.getpid())))
        return bool(end.recv(1))
    except ConnectionError:
        return False
