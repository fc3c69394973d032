"""Where the queue of each function begins: a hint in memory; the rows decide."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import TypeAlias

Head: TypeAlias = tuple[int, int, str]
"""(scheduled_us, seq, function): no created execution of the function comes before it."""

SHARED = ""
"""Stands for a function in the head of the queue that functions without a limit share."""
_SPARE_ENTRIES = 64


class Heads:
    """A heap of heads. One that is too early costs a look; one that is too late would hide work, so none is."""

    def __init__(self) -> None:
        self._heads: dict[str, Head] = {}
        self._heap: list[Head] = []
        self._at_limit: set[str] = set()
        self._unknown: set[str] = set()
        self._passed_over: set[str] = set()

    def reset(self, functions: Iterable[str]) -> None:
        """Forget everything, and look at each of ``functions`` again, and at the queue that is shared."""
        self._heads = {function: (0, 0, function) for function in (SHARED, *functions)}
        self._heap = list(self._heads.values())
        self._at_limit.clear()
        self._unknown.clear()
        self._passed_over.clear()

    def offer(self, function: str, scheduled_us: int, seq: int) -> None:
        """Learn of a created execution."""
        head = self._heads.get(function)
        if head is None or scheduled_us < head[0] or (scheduled_us == head[0] and seq < head[1]):
            self.set(function, scheduled_us, seq)

    def look(self, function: str) -> None:
        """Learn that something of ``function`` was created, wherever in its queue."""
        self.offer(function, 0, 0)

    def set(self, function: str, scheduled_us: int, seq: int) -> None:
        """Put the head of ``function`` where it is known to be."""
        head = (scheduled_us, seq, function)
        self._heads[function] = head
        if function not in self._at_limit and function not in self._unknown:
            self._push(head)

    def clear(self, function: str) -> None:
        """Learn that ``function`` has nothing created."""
        self._heads.pop(function, None)

    def of(self, function: str) -> Head | None:
        """Return the head of ``function``, parked or not."""
        return self._heads.get(function)

    def first(self) -> Head | None:
        """Return the earliest head that is not parked."""
        heap = self._heap
        while heap:
            head = heap[0]
            function = head[2]
            if self._heads.get(function) is head and function not in self._at_limit and function not in self._unknown:
                return head
            heappop(heap)
        return None

    def take_first(self) -> None:
        """Leave out what ``first`` returned until its head is set again."""
        del self._heads[heappop(self._heap)[2]]

    def park_at_limit(self, function: str) -> None:
        """Leave ``function`` out until one of its executions ends."""
        self._at_limit.add(function)

    def park_unknown(self, function: str) -> None:
        """Leave ``function`` out until other functions are claimed."""
        self._unknown.add(function)

    def pass_over(self, function: str, head: tuple[int, int] | None) -> None:
        """Leave out what lies before ``head`` until one of the function's executions ends."""
        self._at_limit.discard(function)
        self._passed_over.add(function)
        if head is None:
            self.clear(function)
        else:
            self.set(function, *head)

    def release(self, function: str) -> None:
        """Take ``function`` in again if it was left out at its limit."""
        if function in self._at_limit:
            self._at_limit.discard(function)
            self._take_in(function)
        elif function in self._passed_over:
            self._passed_over.discard(function)
            self.look(function)

    def release_all(self) -> None:
        """Take all in again that were left out, for whatever reason."""
        parked = self._at_limit | self._unknown
        self._at_limit.clear()
        self._unknown.clear()
        for function in parked:
            self._take_in(function)
        for function in self._passed_over:
            self.look(function)
        self._passed_over.clear()

    def _take_in(self, function: str) -> None:
        head = self._heads.get(function)
        if head is not None:
            self._push(head)

    def _push(self, head: Head) -> None:
        heap = self._heap
        if len(heap) > _SPARE_ENTRIES + 4 * len(self._heads):  # outdated entries far from the top are never popped
            heap[:] = self._heads.values()
            heapify(heap)
        else:
            heappush(heap, head)
