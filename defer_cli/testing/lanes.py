"""The way of calls into a sandbox: no socket, no folder; what is sent is handed over in this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection

from msgspec import Struct

from defer_cli.client.lanes import Lane
from defer_cli.client.routes import OnReply, Route
from defer_cli.domain.errors import NoRunner
from defer_cli.link.frames import Enqueues
from defer_cli.testing.clock import Clock

Learn = Callable[[Collection[str], str], None]


class Link(Route):
    """Hands requests to the sandbox's runner; any thread of the process that opened the sandbox may send."""

    def __init__(self, take: Callable[[Struct], None]) -> None:
        super().__init__()
        self._take = take
        self._pid = os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether this is the process that opened the sandbox, not one forked from it."""
        return self._pid == os.getpid()

    def _write(self, message: Struct) -> None:
        self._take(message)


class _LinkOfFile(Link):
    """The link as calls of one file use it: the runner learns of their functions before they are stored."""

    def __init__(self, link: Link, learn: Learn, file: str) -> None:
        super().__init__(link._write)  # noqa: SLF001  # the same link, seen from one file
        self._link = link
        self._learn = learn
        self._file = file

    @property
    def is_lost(self) -> bool:
        return self._link.is_lost

    def request(self, build: Callable[[int], Struct], on_reply: OnReply) -> int:
        def built(number: int) -> Struct:
            frame = build(number)
            if isinstance(frame, Enqueues):
                self._learn({call.function for call in frame.calls}, self._file)
            return frame

        return self._link.request(built, on_reply)

    def forget(self, number: int) -> None:
        self._link.forget(number)


class SandboxLane(Lane):
    """Always open, until the process forks: the runner and its thread stay with the parent."""

    def __init__(self, link: Link, clock: Clock, *, learn: Learn, file: str | None) -> None:
        self._link = link
        self._route = link if file is None else _LinkOfFile(link, learn, file)
        self._clock = clock

    @property
    def is_open(self) -> bool:
        return self._link.is_here

    def open(self) -> Route:
        if not self.is_open:
            raise NoRunner("a process that was forked in a test has left its sandbox", mend="make the call in the test")
        return self._route

    def folder(self) -> None:
        return None

    def now_us(self) -> int:
        return self._clock.now_us()
