"""Whether a wait could ever end: who holds the places of functions with a limit, and what they wait for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from defer_cli.domain.errors import WaitRefused
from defer_cli.domain.function import FunctionSpec
from defer_cli.engine.waiting import Waiter, Waiting
from defer_cli.workers.process import Assigned


class Standstill:
    """Refuses the waits of an attempt once none of them can end.

    A wait can end as long as something is found behind it that goes on by itself: an attempt that does not wait, or a
    call whose function has room. One such thing is enough: an attempt with several waits may go on after any of
    them. What is left is looked at again whenever a wait begins and whenever one of several has ended, for only
    then can the last thing that went on have been lost.
    """

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self._limits: dict[str, int | None] = {}
        self._holders: dict[str, set[Assigned]] = {}
        waiting.on_fewer = self.look

    def set_functions(self, specs: Mapping[str, FunctionSpec], assigned: Iterable[Assigned]) -> None:
        """Learn the limits that hold from now on; ``assigned`` are all attempts that run."""
        limits = {name: spec.options.concurrency for name, spec in specs.items() if _keeps_queue(spec)}
        if limits == self._limits:
            return
        self._limits = limits
        self._holders = {name: set() for name in self._limits}
        self.take(assigned)
        for one in self._waiting.attempts:
            self.look(one)

    def take(self, attempts: Iterable[Assigned]) -> None:
        """Attempts have started: each holds a place of its function."""
        if self._holders:
            for assigned in attempts:
                if (holders := self._holders.get(assigned.running.function)) is not None:
                    holders.add(assigned)

    def free(self, attempts: Iterable[Assigned]) -> None:
        """Attempts have ended."""
        if self._holders:
            for assigned in attempts:
                if (holders := self._holders.get(assigned.running.function)) is not None:
                    holders.discard(assigned)

    def found(self, waiter: Waiter, function: str) -> None:
        """What is awaited has not ended, and is of this function."""
        waiter.function = function
        if waiter.assigned is not None:
            self.look(waiter.assigned)

    def look(self, assigned: Assigned) -> None:
        """Refuse what an attempt waits for when nothing of it can end."""
        if not self._can_go_on(assigned):
            self._waiting.refuse(self._waiting.of(assigned), self._why)

    def _can_go_on(self, assigned: Assigned) -> bool:
        seen: set[Assigned | str] = {assigned}
        left = [self._waits_of(assigned)]
        while left:
            waiter = next(left[-1], None)
            if waiter is None:
                left.pop()
                continue
            behind = self._behind(waiter, seen)
            if behind is None:
                return True
            left += map(self._waits_of, behind)
        return False

    def _behind(self, waiter: Waiter, seen: set[Assigned | str]) -> list[Assigned] | None:
        """Return the attempts that have to go on first, without those seen; None when it ends by itself."""
        other = self._waiting.attempt(waiter.id)
        if other is not None:
            if other.is_ending:
                return None
            behind = {other}
        elif waiter.function is None:  # it is looked at again when that is known
            return None
        elif waiter.function in seen:
            return []
        else:
            limit = self._limits.get(waiter.function)
            behind = self._holders.get(waiter.function, set())
            if limit is None or len(behind) < limit or not all(map(self._waits, behind)):
                return None
            seen.add(waiter.function)
        new = [one for one in behind if one not in seen]
        seen.update(new)
        return new

    def _waits_of(self, assigned: Assigned) -> Iterator[Waiter]:
        """Look at the latest first: of thousands, those begun first have ended first, and a dict keeps their gaps."""
        return reversed(self._waiting.of(assigned))

    def _waits(self, assigned: Assigned) -> bool:
        return bool(self._waiting.of(assigned)) and not assigned.is_ending

    def _why(self, waiter: Waiter) -> WaitRefused:
        other = self._waiting.attempt(waiter.id)
        function = waiter.function if other is None else other.running.function
        limit = self._limits.get(function or "")
        if other is not None:
            because = f"{waiter.id} waits itself, and cannot go on before this execution ends"
            mend = f"call {function}() without waiting, or have it not wait"
        elif limit == 1:
            because = "its only place is held by an execution that cannot go on before this one ends"
            mend = f"raise its concurrency, or call {function}() without waiting"
        else:
            because = f"its {limit} places are held by executions that cannot go on before this one ends"
            mend = f"raise its concurrency, or call {function}() without waiting"
        return WaitRefused(f"waiting for {function}() would never end: {because}", mend=mend)


def _keeps_queue(spec: FunctionSpec) -> bool:
    """Whether calls wait for a place of the function: elsewhere they start, or the next claim cancels them."""
    return spec.options.concurrency is not None and spec.options.max_concurrency_action == "keep"
