"""When running attempts must end: one timer a span, however many attempts share it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from defer_cli.workers.process import Assigned


class Deadlines:
    """Attempts of one ``max_duration`` start in the order of their deadlines, so a dict keeps them sorted.

    A timer a start would cost more than the attempt of a short function; here starting and ending are one
    dict operation each, and only what is over its limit is ever looked at.

    ``time_left`` says how many seconds such a one still has, since others have held it up; then it has a timer of its
    own, outside of that order.
    """

    def __init__(
        self,
        on_over: Callable[[Assigned], None],
        on_stubborn: Callable[[Assigned], None],
        *,
        grace_seconds: float,
        time_left: Callable[[Assigned], float] = lambda assigned: 0.0,
    ) -> None:
        self._grace_seconds = grace_seconds
        self._time_left = time_left
        self._on_over = on_over
        self._on_stubborn = on_stubborn
        self._by_span: dict[float, dict[int, Assigned]] = {}
        self._timers: dict[float, asyncio.TimerHandle] = {}
        self._held_up: dict[int, asyncio.TimerHandle] = {}

    def add(self, attempts: Iterable[Assigned]) -> None:
        """Watch attempts that have just started."""
        by_span, timers = self._by_span, self._timers
        for assigned in attempts:
            span = assigned.span
            group = by_span.get(span)
            if group is None:
                group = by_span[span] = {}
            group[assigned.running.seq] = assigned
            if span not in timers:
                self._arm(span, assigned.deadline)

    def remove(self, attempts: Iterable[Assigned]) -> None:
        """Forget attempts that have ended."""
        by_span, held_up = self._by_span, self._held_up
        for assigned in attempts:
            seq = assigned.running.seq
            by_span[assigned.span].pop(seq, None)
            if held_up and (timer := held_up.pop(seq, None)) is not None:
                timer.cancel()

    def _arm(self, span: float, deadline: float) -> None:
        self._timers[span] = asyncio.get_running_loop().call_at(deadline, self._look, span)

    def _look(self, span: float) -> None:
        del self._timers[span]
        group = self._by_span[span]
        now = asyncio.get_running_loop().time()
        over = []
        for assigned in group.values():
            if assigned.deadline > now:
                self._arm(span, assigned.deadline)
                break
            over.append(assigned)
        for assigned in over:
            del group[assigned.running.seq]
            self._judge(assigned)

    def _judge(self, assigned: Assigned) -> None:
        left = self._time_left(assigned)
        if left > 0:
            timer = asyncio.get_running_loop().call_later(left, self._look_again, assigned)
            self._held_up[assigned.running.seq] = timer
        else:
            self._on_over(assigned)
            self.watch_end(assigned)

    def _look_again(self, assigned: Assigned) -> None:
        del self._held_up[assigned.running.seq]
        self._judge(assigned)

    def watch_end(self, assigned: Assigned) -> None:
        """Give an attempt that was asked to end its grace; then it is stubborn."""
        asyncio.get_running_loop().call_later(self._grace_seconds, self._check_end, assigned)

    def _check_end(self, assigned: Assigned) -> None:
        if assigned.process.assigned.get(assigned.running.seq) is assigned:
            self._on_stubborn(assigned)
