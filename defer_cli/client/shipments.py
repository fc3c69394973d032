"""What the sender sends as one frame: a batch of calls, or an errand; each knows what to do with its answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from time import monotonic, time_ns
from typing import Any

from msgspec import Struct

from defer_cli.client.delivery import LONGEST_WAIT_SECONDS, Arrival, Delivery, settle, unconfirmed, wake
from defer_cli.client.lanes import Lane
from defer_cli.client.routes import ConnectionLost, Route
from defer_cli.domain.errors import DeferError, NoRunner, Unconfirmed
from defer_cli.link.frames import Answer, Ended, Enqueued, Enqueues
from defer_cli.link.inbox import write_entry

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0


class Shipment(ABC):
    """Goes out at least once, and again after a lost connection, until its deadline."""

    __slots__ = ("_route", "_sent_as", "due", "lane", "losses", "on_lost", "on_over")

    def __init__(self, lane: Lane, on_lost: Callable[[Shipment], None], on_over: Callable[[Shipment], None]) -> None:
        self.lane = lane
        self.on_lost = on_lost
        self.on_over = on_over
        self.losses = 0
        self.due = 0.0
        self._route: Route | None = None
        self._sent_as = 0

    def send(self) -> None:
        """Go out by the way that is open now; every failure becomes an answer."""
        try:
            route = self._route = self.lane.open()
            if route is None:
                self._stay()
                self.on_over(self)
            else:
                self._sent_as = route.request(self._frame, self._take)
        except DeferError as error:
            self._end(error)
        except Exception as error:
            self._end(DeferError(f"the call could not be sent: {type(error).__name__}: {error}"))

    def expire(self) -> None:
        """Wait no longer for an answer."""
        if self._route is not None:
            self._route.forget(self._sent_as)
        self._give_up()
        self.on_over(self)

    def _take(self, reply: Enqueued | Ended | Answer | DeferError) -> None:
        if isinstance(reply, ConnectionLost):
            pause = _FIRST_PAUSE_SECONDS * 2**self.losses
            self.due = monotonic() + min(pause, _LONGEST_PAUSE_SECONDS) if self.losses else 0.0
            self.losses += 1
            self.on_lost(self)
        else:
            self._end(reply)

    def _end(self, reply: Enqueued | Ended | Answer | DeferError) -> None:
        self._answer(reply)
        self.on_over(self)

    @abstractmethod
    def _frame(self, number: int) -> Struct: ...

    @abstractmethod
    def _answer(self, reply: Any) -> None: ...

    @abstractmethod
    def _stay(self) -> None:
        """Do what can be done while no runner lives."""

    @abstractmethod
    def _give_up(self) -> None: ...


class Batch(Shipment):
    """Calls that share a frame, and so a commit."""

    __slots__ = ("calls", "deadline")

    def __init__(self, lane: Lane, on_lost: Callable[[Shipment], None], on_over: Callable[[Shipment], None]) -> None:
        super().__init__(lane, on_lost, on_over)
        self.calls: list[Delivery] = []
        self.deadline = monotonic() + LONGEST_WAIT_SECONDS

    def refuse(self, error: DeferError) -> None:
        """Give every call the same answer; each waiter gets an exception of its own."""
        settle(self.calls, [error] * len(self.calls))

    def _frame(self, number: int) -> Enqueues:
        return Enqueues(number, [delivery.call for delivery in self.calls])

    def _answer(self, reply: Any) -> None:
        if isinstance(reply, Enqueued) and len(reply.results) == len(self.calls):
            now_us = reply.now_us
            settle(self.calls, [now_us if result is None else result for result in reply.results])
        elif isinstance(reply, DeferError):
            self.refuse(reply)
        else:
            self.refuse(DeferError("the runner's answer is not that to a call", mend="use one version of defer"))

    def _stay(self) -> None:
        folder = self.lane.folder()
        if folder is None:
            self.refuse(NoRunner("no runner takes calls any more"))
            return
        try:
            write_entry(folder, [delivery.call for delivery in self.calls])
        except OSError as error:
            if self.losses:  # it had been sent before: an answer may have been lost
                self._give_up()
            else:
                self.refuse(
                    NoRunner(
                        f"no runner is alive, and the inbox cannot be written: {error}; nothing was stored",
                        where=folder.inbox,
                        mend="start `defer run`, or make room and give this user the right to write there",
                    )
                )
        else:
            settle(self.calls, [time_ns() // 1000] * len(self.calls))

    def _give_up(self) -> None:
        settle(self.calls, [unconfirmed(delivery.call, LONGEST_WAIT_SECONDS) for delivery in self.calls])


class Errand(Shipment, Arrival):
    """One request besides calls; its outcome is the reply, or why there is none."""

    __slots__ = ("_build", "_lost_at", "_subject")

    def __init__(
        self,
        lane: Lane,
        build: Callable[[int], Struct],
        subject: str,
        on_lost: Callable[[Shipment], None],
        on_over: Callable[[Shipment], None],
    ) -> None:
        Arrival.__init__(self)
        Shipment.__init__(self, lane, on_lost, on_over)
        self._build = build
        self._subject = subject
        self._lost_at: float | None = None

    def _frame(self, number: int) -> Struct:
        self._lost_at = None
        return self._build(number)

    def _answer(self, reply: Any) -> None:
        if self.outcome is None:
            self.outcome = reply
            wake([self])

    def _stay(self) -> None:
        raise NoRunner(
            f"no runner is alive to answer for {self._subject}", mend="start `defer run` or `defer dev`, then ask again"
        )

    def _give_up(self) -> None:
        self._answer(
            Unconfirmed(f"the runner went away and did not come back: the end of {self._subject} is not known")
        )
