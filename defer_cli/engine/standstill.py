"""Whether a wait could ever end: who holds the places of functions with a limit, and what they wait for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from defer_cli.engine.waiting import Waiting
from defer_cli.workers.process import Assigned


class Places:
    """The places of functions with a limit, by who holds them."""

    def __init__(self, waiting: Waiting, limit_of: Callable[[str], int | None]) -> None:
        self._waiting = waiting
        self._limit_of = limit_of
        self._holders: dict[str, set[Assigned]] = {}

    def take(self, assigned: Assigned) -> None:
        """An attempt has started."""
        if assigned.spec.options.concurrency is not None:
            self._holders.setdefault(assigned.running.function, set()).add(assigned)

    def free(self, assigned: Assigned) -> None:
        """An attempt has ended."""
        if assigned.spec.options.concurrency is not None:
            self._holders[assigned.running.function].discard(assigned)

    def is_free(self, function: str) -> bool:
        """Whether a call of ``function`` can start, or somebody who does not wait will make room for it."""
        limit = self._limit_of(function)
        holders = self._holders.get(function, ())
        return limit is None or len(holders) < limit or not all(holder.only_waits for holder in holders)

    def will_be_free(self, function: str, assigned: Iterable[Assigned]) -> bool:
        """Whether a call of ``function`` can ever start: is anybody on the way to its places not waiting himself?"""
        if self.is_free(function):
            return True
        by_id: Mapping[str, Assigned] = {one.running.id: one for one in assigned}
        seen = {function}
        left = list(self._holders[function])
        while left:
            for id in self._waiting.is_waiting_for(left.pop().running.seq):
                other = by_id.get(id)
                awaited = self._waiting.function_of(id) if other is None else other.running.function
                if awaited is None or (other is not None and not other.only_waits):
                    return True
                if other is not None and id not in seen:
                    seen.add(id)
                    left.append(other)
                elif other is None and self.is_free(awaited):
                    return True
                elif other is None and awaited not in seen:
                    seen.add(awaited)
                    left.extend(self._holders[awaited])
        return False
