"""What all HTTP connections share: how many there may be, how much is held for them, and who has to go first."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Collection, Iterator
from typing import Protocol

MOST_CONNECTIONS = 1_000
MOST_HELD = 24 << 20
"""Bytes of requests that are not whole yet, and of answers that are not read yet, over all connections."""
_MUCH = 0.4
"""The part of it from which on the slow have to go; those who are quick may take the rest."""
_OTHER_DESCRIPTORS = 256
_OTHER_CALLERS = 2
"""Descriptors that callers at the runner's socket may take for each connection here."""
_YOUNG_SECONDS = 1.0
"""So long nobody is called slow."""


class Member(Protocol):
    """A connection as the crowd sees it."""

    def slowness(self) -> tuple[bool, float] | None:
        """Return whether it is only idle, and since when we wait for it; None: it waits for us."""

    def held(self) -> int:
        """Return how many bytes are held for it."""

    def give_up(self, why: str) -> None:
        """End it at once."""

    def look(self, now: float) -> None:
        """End it when its peer is late."""

    def stop(self) -> None:
        """Begin nothing new; what is being answered ends first."""


class Crowd:
    """Makes room by ending who has been slow for longest: they are the flood, not those who come."""

    def __init__(self, *, most: int | None = None, most_held: int = MOST_HELD) -> None:
        self._members: set[Member] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._most = _most_connections() if most is None else most
        self._most_held = most_held
        self._held = 0

    def __iter__(self) -> Iterator[Member]:
        return iter(list(self._members))

    def add(self, member: Member, now: float) -> bool:
        """Take one in; return False when it is one too many, and no slower one can go for it."""
        has_room = len(self._members) < self._most or _end_slowest(self._members, now)
        self._members.add(member)
        self._empty.clear()
        return has_room

    def remove(self, member: Member) -> None:
        """Forget one that has ended."""
        self._members.discard(member)
        if not self._members:
            self._empty.set()

    async def until_empty(self) -> None:
        """Wait until all have ended."""
        await self._empty.wait()

    def hold(self, size: int, now: float) -> bool:
        """Note that ``size`` more bytes are held; return False when that is too much, and no slower one can go."""
        self._held += size
        if self._held <= _MUCH * self._most_held or _end_slowest([one for one in self._members if one.held()], now):
            return True
        return self._held <= self._most_held

    def let_go(self, size: int) -> None:
        """Note that ``size`` bytes are held no more."""
        self._held -= size


def _end_slowest(members: Collection[Member], now: float) -> bool:
    slow = [(found, one) for one in members if (found := one.slowness()) and now - found[1] >= _YOUNG_SECONDS]
    if not slow:
        return False
    _, slowest = min(slow, key=lambda pair: pair[0])
    slowest.give_up("room was needed, and this was the slowest")
    return True


def _most_connections() -> int:
    """Return how many connections leave enough descriptors to the store, the workers and the runner's socket."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return min(MOST_CONNECTIONS, max(limit - _OTHER_DESCRIPTORS, 0) // (1 + _OTHER_CALLERS))
