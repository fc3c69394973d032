"""When running attempts must end: one timer a span, however many attempts share it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from defer_cli.workers.process import Assigned


class Deadlines:
    """Attempts of one ``max_duration`` start in the order of their deadlines, so a dict keeps them sorted.

    A timer a start would cost more than the attempt of a short function; here starting and ending are one
    dict operation each, and only what is over its limit is ever looked at.
    """

    def __init__(
        self, on_over: Callable[[Assigned], None], on_stubborn: Callable[[Assigned], None], *, grace_seconds: float
    ) -> None:
        self._grace_seconds = grace_seconds
        self._on_over = on_over
        self._on_stubborn = on_stubborn
        self._by_span: dict[float, dict[int, Assigned]] = {}
        self._timers: dict[float, asyncio.TimerHandle] = {}

    def add(self, assigned: Assigned) -> None:
        """Watch an attempt that has just started."""
        span = assigned.span
        group = self._by_span.get(span)
        if group is None:
            group = self._by_span[span] = {}
        group[assigned.running.seq] = assigned
        if span not in self._timers:
            self._arm(span, assigned.deadline)

    def remove(self, assigned: Assigned) -> None:
        """Forget an attempt that has ended."""
        self._by_span[assigned.span].pop(assigned.running.seq, None)

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
            self._on_over(assigned)
            self.watch_end(assigned)

    def watch_end(self, assigned: Assigned) -> None:
        """Give an attempt that was asked to end its grace; then it is stubborn."""
        asyncio.get_running_loop().call_later(self._grace_seconds, self._check_end, assigned)

    def _check_end(self, assigned: Assigned) -> None:
        if assigned.process.assigned.get(assigned.running.seq) is assigned:
            self._on_stubborn(assigned)
