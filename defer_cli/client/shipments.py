"""What the sender sends as one frame: a batch of calls, or an errand; each knows what to do with its answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import inf
from time import monotonic, time_ns
from typing import Protocol, TypeAlias

from msgspec import Struct

from defer_cli.client.delivery import LONGEST_WAIT_SECONDS, Arrival, Delivery, settle, unconfirmed, wake
from defer_cli.client.lanes import Lane
from defer_cli.client.routes import ConnectionLost, Route, Unreached
from defer_cli.domain.errors import DeferError, NoRunner, Unconfirmed
from defer_cli.link.frames import Answer, Ended, Enqueued, Enqueues, Unwait
from defer_cli.link.inbox import write_entry

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_NOBODY = Unconfirmed("nobody waited for it any more")
_DOCTOR = "see whether the runner is alive: `defer doctor`"

Reply: TypeAlias = Enqueued | Ended | Answer | DeferError


class Desk(Protocol):
    """Who sends shipments; told by whatever thread learns it."""

    def again(self, shipment: Shipment, /) -> None:
        """Send it again, from ``shipment.due`` on."""

    def over(self, shipment: Shipment, /) -> None:
        """It has its answer."""


class Shipment(ABC):
    """Goes out at least once, and again after a lost connection, until its deadline."""

    def __init__(self, lane: Lane, desk: Desk, *, deadline: float) -> None:
        self.lane = lane
        self.deadline = deadline
        self.due = 0.0
        self._desk = desk
        self._losses = 0
        self._route: Route | None = None
        self._was_sent = False
        self._was_sent_before = False
        self._unreached: Unreached | None = None
        self._sent_as = 0

    @property
    def is_adrift(self) -> bool:
        """Whether it is on no connection now: it never was on one, or that one is lost."""
        return self._route is None or self._route.is_lost

    def send(self) -> None:
        """Go out by the way that is open now; every failure becomes an answer."""
        try:
            route = self._route = self.lane.open()
            if route is None:
                self.stay()
            else:
                self._sent_as = route.request(self._pack, self.take)
        except DeferError as error:
            self.take(error)
        except (TimeoutError, ConnectionError, BlockingIOError) as error:  # the runner has its hands full
            self.take(ConnectionLost(f"the runner could not be reached: {error}"))
        except Exception as error:
            self.take(DeferError(f"it could not be sent: {type(error).__name__}: {error}"))

    def expire(self) -> None:
        """Wait no longer for an answer."""
        if self._route is not None:
            self._route.forget(self._sent_as)
        self._give_up()
        self._desk.over(self)

    def take(self, reply: Reply) -> None:
        """Take the answer, or a reason to go again."""
        if isinstance(reply, Unreached):
            self._not_taken(reply)
        if isinstance(reply, ConnectionLost):
            self._lost()
        else:
            self._answer(reply)
            self._desk.over(self)

    def _not_taken(self, error: Unreached) -> None:
        """Nobody took it this time: what was known before it went out holds again."""
        self._was_sent = self._was_sent_before
        self._unreached = error

    def _lost(self) -> None:
        """Go again: at once after the first loss, then more and more slowly."""
        if self._losses:
            self.due = monotonic() + min(_FIRST_PAUSE_SECONDS * 2**self._losses, _LONGEST_PAUSE_SECONDS)
        self._losses += 1
        self._desk.again(self)

    def _pack(self, number: int) -> Struct:
        frame = self._frame(number)
        self._was_sent_before = self._was_sent
        self._was_sent = True  # perhaps: what is written now may be lost on the way
        return frame

    @abstractmethod
    def _frame(self, number: int) -> Struct:
        """Return what is sent."""

    @abstractmethod
    def _answer(self, reply: Reply) -> None:
        """Pass the answer on to who waits."""

    @abstractmethod
    def stay(self) -> None:
        """Do what can be done while no runner lives."""

    @abstractmethod
    def _give_up(self) -> None:
        """Tell who waits that there was no answer in time."""


class Batch(Shipment):
    """Calls that share a frame, and so a commit."""

    def __init__(self, lane: Lane, desk: Desk) -> None:
        super().__init__(lane, desk, deadline=monotonic() + LONGEST_WAIT_SECONDS)
        self.calls: list[Delivery] = []

    def _frame(self, number: int) -> Enqueues:
        return Enqueues(number, [delivery.call for delivery in self.calls])

    def _answer(self, reply: Reply) -> None:
        if isinstance(reply, Enqueued) and len(reply.results) == len(self.calls):
            now_us = reply.now_us
            settle(self.calls, [now_us if result is None else result for result in reply.results])
        elif isinstance(reply, DeferError):
            settle(self.calls, [reply] * len(self.calls))
        else:
            strange = DeferError("the runner's answer is not one to a call", mend="use one version of defer")
            settle(self.calls, [strange] * len(self.calls))

    def stay(self) -> None:
        folder = self.lane.folder()
        if folder is None:
            self.take(NoRunner("no runner takes calls any more"))
            return
        try:
            write_entry(folder, [delivery.call for delivery in self.calls])
        except OSError as error:
            if self._was_sent:  # the answer may have been lost
                self.expire()
                return
            why = f"no runner is alive, and the inbox cannot be written: {error}; nothing was stored"
            mend = "start `defer run`, or make room and give this user the right to write there"
            self.take(NoRunner(why, where=folder.inbox, mend=mend))
        else:
            settle(self.calls, [time_ns() // 1000] * len(self.calls))
            self._desk.over(self)

    def _give_up(self) -> None:
        if self._unreached is not None and not self._was_sent:
            why = f"{self._unreached.problem}; none came within {LONGEST_WAIT_SECONDS:g} s, and nothing was stored"
            settle(self.calls, [NoRunner(why, mend=self._unreached.mend)] * len(self.calls))
            return
        settle(self.calls, [unconfirmed(delivery.call, LONGEST_WAIT_SECONDS) for delivery in self.calls])


class Errand(Shipment, Arrival):
    """One request besides calls; its outcome is the reply, or why there is none.

    ``build`` gets its number, and whether it may have been sent before; ``purpose`` says what a runner is to do.
    """

    def __init__(
        self, lane: Lane, desk: Desk, build: Callable[[int, bool], Struct], purpose: str, *, deadline: float
    ) -> None:
        Shipment.__init__(self, lane, desk, deadline=deadline)
        Arrival.__init__(self)
        self._build = build
        self._purpose = purpose
        self._empty_folder: str | None = None

    def _frame(self, number: int) -> Struct:
        self._empty_folder = None
        return self._build(number, self._was_sent)

    def _answer(self, reply: Reply) -> None:
        if self.outcome is None:
            self.outcome = reply
            wake([self])

    def stay(self) -> None:
        folder = self.lane.folder()
        self._empty_folder = None if folder is None else folder.path
        if self._losses:  # it may be starting again
            self._lost()
        else:
            self.take(self._nobody(f"no runner is alive to {self._purpose}"))

    def _nobody(self, problem: str) -> NoRunner:
        return NoRunner(problem, where=self._empty_folder, mend="start `defer run`")


class LongWait(Errand):
    """A request whose answer may take for ever; only a runner that went away must be back soon."""

    def __init__(self, lane: Lane, desk: Desk, build: Callable[[int], Struct], purpose: str) -> None:
        super().__init__(lane, desk, lambda number, is_again: build(number), purpose, deadline=inf)
        self._deadline_before = inf

    def _frame(self, number: int) -> Struct:
        self._deadline_before = self.deadline
        self.deadline = inf
        return super()._frame(number)

    def _not_taken(self, error: Unreached) -> None:
        super()._not_taken(error)
        self.deadline = self._deadline_before

    def _lost(self) -> None:
        self.deadline = min(self.deadline, monotonic() + LONGEST_WAIT_SECONDS)
        super()._lost()

    def send(self) -> None:
        """Go out, unless nobody listens any more."""
        if self.outcome is None:
            super().send()
            if self.is_cut:  # they left while it went out
                self._cut()

    @property
    def is_cut(self) -> bool:
        """Whether it was given up because nobody listened; whoever came just then has to ask anew."""
        return self.outcome is _NOBODY

    def leave(self) -> None:
        """Somebody listens no longer: the runner is told when he was the last."""
        if self.outcome is None and not self.waiters and not self.is_orphan:
            self._answer(_NOBODY)
            self._cut()
            self._desk.over(self)

    def _cut(self) -> None:
        if self._route is not None and self._sent_as:
            self._route.forget(self._sent_as)
            self._route.tell(Unwait(self._sent_as))

    def _give_up(self) -> None:
        self._answer(Unconfirmed(f"the runner went away and did not come back to {self._purpose}"))


class Question(Errand):
    """A question or a change: answered soon, or given up at its deadline with what is known then.

    ``doubt`` is what is unknown when it was sent and not answered; "" for a question.
    """

    def __init__(
        self,
        lane: Lane,
        desk: Desk,
        build: Callable[[int, bool], Struct],
        purpose: str,
        *,
        doubt: str = "",
        deadline: float,
    ) -> None:
        super().__init__(lane, desk, build, purpose, deadline=deadline)
        self._doubt = doubt

    def _give_up(self) -> None:
        limit = f"within {LONGEST_WAIT_SECONDS:g} s"
        if self._was_sent and self._doubt:
            mend = "ask for its state before you try again"
            self._answer(Unconfirmed(f"no answer came {limit}: {self._doubt}", mend=mend))
        elif self._empty_folder is not None:
            self._answer(self._nobody(f"the runner went away, and none came {limit} to {self._purpose}"))
        elif self._was_sent:
            self._answer(Unconfirmed(f"no answer came {limit}: cannot {self._purpose}", mend=_DOCTOR))
        elif self._unreached is not None:
            why = f"{self._unreached.problem}; none came {limit} to {self._purpose}"
            self._answer(NoRunner(why, mend=self._unreached.mend))
        else:
            self._answer(NoRunner(f"no runner took the request {limit} to {self._purpose}", mend=_DOCTOR))
