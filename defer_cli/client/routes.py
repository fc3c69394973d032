"""Routes: numbered requests to a runner, their replies, and the route a worker has.

``Route`` is the base of a worker's pipe and of a connection to ``runner.sock``:

- ``request(build, on_reply) -> int`` draws a number, keeps ``on_reply``, writes ``build(number)``. Any thread may call.
- ``tell(message)`` writes what has no reply.
- ``deliver(reply)`` hands ``Enqueued``, ``Ended``, ``Answer`` or ``Failure`` to its ``on_reply``, on this thread.
- ``lost(error)`` hands ``error`` to every ``on_reply`` that still waits, and to every later request.
- ``forget(number)`` drops a request: its late reply goes nowhere.
- A subclass calls ``super().__init__()`` and provides ``_write(message)``; an ``OSError`` from it means lost.

``on_reply(reply)`` gets the reply, or a ``DeferError``: the runner's failure, or ``ConnectionLost``. It must not wait.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import count
from threading import local
from typing import TypeAlias

from msgspec import Struct

from defer_cli.domain.errors import DeferError, named_error
from defer_cli.link.frames import Answer, Ended, Enqueued, Failure

Reply: TypeAlias = Enqueued | Ended | Answer | Failure
OnReply: TypeAlias = Callable[[Enqueued | Ended | Answer | DeferError], None]

_here = local()


class ConnectionLost(DeferError):
    """The runner went away before it answered; the same request may be sent again."""


class Unreached(ConnectionLost):
    """Nobody took the request: nothing of it was sent."""


class Route(ABC):
    """Numbers requests and keeps who waits for their replies."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._pending: dict[int, OnReply] = {}
        self._error: DeferError | None = None

    @property
    def is_lost(self) -> bool:
        """Whether no reply will come any more."""
        return self._error is not None

    def request(self, build: Callable[[int], Struct], on_reply: OnReply) -> int:
        """Send ``build(number)``; its reply, or why there is none, goes to ``on_reply``."""
        number = next(self._numbers)
        self._pending[number] = on_reply
        if self._error is None:
            try:
                self._write(build(number))
            except OSError as error:
                self.lost(ConnectionLost(f"the runner went away: {error}"))
            except BaseException:
                self.forget(number)
                raise
        if self._error is not None:  # also when it was lost just now, between the check and the entry
            self._hand_over(number, self._error)
        return number

    def tell(self, message: Struct) -> None:
        """Send what has no reply; over a lost route it goes nowhere."""
        if self._error is None:
            try:
                self._write(message)
            except OSError as error:
                self.lost(ConnectionLost(f"the runner went away: {error}"))

    def deliver(self, reply: Reply) -> None:
        """Hand a reply to who waits for it; the calling thread never waits for a call from now on."""
        never_wait_here()
        if type(reply) is Failure:
            self._hand_over(reply.number, failure_error(reply))
        else:
            self._hand_over(reply.number, reply)  # type: ignore[arg-type]  # the union without Failure

    def lost(self, error: DeferError) -> None:
        """Answer everything that waits, and whatever is asked later, with ``error``."""
        self._error = self._error or error
        for number in list(self._pending):
            self._hand_over(number, self._error)

    def forget(self, number: int) -> None:
        """Drop a request."""
        self._pending.pop(number, None)

    def _hand_over(self, number: int, reply: Enqueued | Ended | Answer | DeferError) -> None:
        on_reply = self._pending.pop(number, None)
        if on_reply is not None:
            on_reply(reply)

    @abstractmethod
    def _write(self, message: Struct) -> None:
        """Send one frame; raise ``OSError`` when the runner has gone."""


def failure_error(failure: Failure) -> DeferError:
    """Return a runner's failure as the error it names."""
    return named_error(failure.kind, failure.problem, where=failure.where, mend=failure.mend, state=failure.state)


def never_wait_here() -> None:
    """Calls made on this thread never wait: it is one of those that bring the answers."""
    _here.brings_answers = True


def may_wait_here() -> bool:
    """Whether this thread may wait for an answer."""
    return not hasattr(_here, "brings_answers")


_worker_route: tuple[Route, int] | None = None


def set_worker_route(route: Route) -> None:
    """Send calls of this process over ``route``; a forked child finds its own way."""
    global _worker_route
    _worker_route = (route, os.getpid())


def worker_route() -> Route | None:
    """Return the route of the worker this process is, None elsewhere."""
    if _worker_route is None or _worker_route[1] != os.getpid():
        return None
    return _worker_route[0]
