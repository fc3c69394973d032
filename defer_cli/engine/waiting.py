"""Who waits for which execution, and how each is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Reversible
from functools import partial
from typing import Protocol

import msgspec
from msgspec import Struct

from defer_cli.domain.settle import Move
from defer_cli.domain.states import FINAL_STATES
from defer_cli.engine.slots import Slots
from defer_cli.link.frames import Ended, Failure
from defer_cli.workers.process import Assigned

encode_json = msgspec.json.Encoder().encode


class Asker(Protocol):
    """Who waits: a worker or a connection."""

    def send(self, message: Struct) -> None:
        """Send a frame; the loop calls."""


class Waiter:
    """One wait for one execution; ``assigned`` is the attempt that waits, None for a caller outside."""

    __slots__ = ("asker", "assigned", "function", "id", "is_over", "number")

    def __init__(self, asker: Asker, number: int, id: str, assigned: Assigned | None) -> None:
        self.asker = asker
        self.number = number
        self.id = id
        self.assigned = assigned
        self.function: str | None = None
        """Of the awaited execution, once it is known."""
        self.is_over = False
        """Whether it counts no longer as a wait; its answer may still be held back, until there is a slot."""


class Waiting:
    """Answers when an awaited execution has ended; an attempt that waits holds no slot meanwhile.

    ``find`` returns the attempt of a ``seq``; ``on_fewer`` is told of one that still waits, but for less.
    """

    def __init__(self, slots: Slots, find: Callable[[int], Assigned | None]) -> None:
        self._slots = slots
        self._find = find
        self._by_number: dict[Asker, dict[int, Waiter]] = {}
        self._by_id: dict[str, dict[Waiter, None]] = {}
        self._of: dict[Assigned, dict[Waiter, None]] = {}
        self._attempts: dict[str, Assigned] = {}
        self.on_fewer: Callable[[Assigned], None] = lambda assigned: None

    # What waits.

    def is_awaited(self, id: str) -> bool:
        """Whether anybody waits for this execution."""
        return id in self._by_id

    def of(self, assigned: Assigned) -> Reversible[Waiter]:
        """Return what an attempt waits for, in the order in which it began to."""
        return self._of.get(assigned, ())

    def attempt(self, id: str) -> Assigned | None:
        """Return the attempt of an execution when it waits for others itself."""
        return self._attempts.get(id)

    @property
    def attempts(self) -> list[Assigned]:
        """Every attempt that waits."""
        return list(self._of)

    # Waits begin and end.

    def add(self, asker: Asker, number: int, id: str, *, seq: int) -> Waiter:
        """Answer ``number`` once ``id`` has ended; ``seq`` is the attempt that waits, 0 for a caller outside."""
        assigned = self._find(seq) if seq else None
        if assigned is not None and assigned.process is not asker:
            assigned = None
        waiter = Waiter(asker, number, id, assigned)
        self._by_number.setdefault(asker, {})[number] = waiter
        self._by_id.setdefault(id, {})[waiter] = None
        if assigned is not None:
            self._of.setdefault(assigned, {})[waiter] = None
            self._attempts[assigned.running.id] = assigned
            self._slots.give_back(assigned)
        return waiter

    def settled(self, moves: Iterable[Move]) -> None:
        """Attempts have ended by these moves, and with most of them their executions."""
        if self._by_id:
            for move in moves:
                if move.id in self._by_id and move.target in FINAL_STATES:
                    error = encode_json(move.error) if move.error is not None else None
                    self.ended(move.id, str(move.target), move.result, error)

    def ended(self, id: str, state: str, result: bytes | None, error: bytes | None) -> None:
        """Answer everybody who waits for this execution."""
        if id in self._by_id:
            waiters = list(self._by_id[id])
            self._answer([(waiter, Ended(waiter.number, id, state, result, error)) for waiter in waiters])

    def refuse(self, waiters: Iterable[Waiter], why: Callable[[Waiter], BaseException]) -> None:
        """Answer waits with an error."""
        self._answer([(waiter, Failure.of(waiter.number, why(waiter))) for waiter in list(waiters)])

    def cut(self, asker: Asker, number: int) -> None:
        """Nobody listens to this wait any more: an attempt that has no other goes on already."""
        waiter = self._by_number.get(asker, {}).get(number)
        if waiter is None:
            return
        self._remove(waiter)
        assigned = waiter.assigned
        if assigned is None:
            return
        if assigned in self._of:
            self.on_fewer(assigned)
        else:
            self._slots.resume_now(assigned)

    def release(self, assigned: Assigned) -> None:
        """An attempt has ended; a thread it left behind may still wait, and is answered as a caller outside."""
        for waiter in self._of.pop(assigned, ()):
            waiter.assigned = None
        self._attempts.pop(assigned.running.id, None)

    def drop(self, asker: Asker) -> None:
        """Drop the waits of a caller that has gone."""
        for waiter in list(self._by_number.get(asker, {}).values()):
            self._remove(waiter)

    def _answer(self, frames: list[tuple[Waiter, Struct]]) -> None:
        """Answer callers at once, and an attempt that waits for nothing else when it has its slot."""
        by_attempt: dict[Assigned, list[tuple[Waiter, Struct]]] = {}
        for waiter, frame in frames:
            self._end(waiter)
            if waiter.assigned is None:
                self._send([(waiter, frame)])
            else:
                by_attempt.setdefault(waiter.assigned, []).append((waiter, frame))
        for assigned, answers in by_attempt.items():
            if assigned in self._of:
                self._send(answers)
                self.on_fewer(assigned)
            else:
                self._slots.resume(assigned, partial(self._send, answers))

    def _send(self, answers: list[tuple[Waiter, Struct]]) -> None:
        for waiter, frame in answers:
            self._forget_number(waiter)
            waiter.asker.send(frame)

    def _remove(self, waiter: Waiter) -> None:
        self._forget_number(waiter)
        if not waiter.is_over:
            self._end(waiter)

    def _forget_number(self, waiter: Waiter) -> None:
        numbers = self._by_number.get(waiter.asker, {})
        if numbers.get(waiter.number) is waiter:
            del numbers[waiter.number]
            if not numbers:
                del self._by_number[waiter.asker]

    def _end(self, waiter: Waiter) -> None:
        waiter.is_over = True
        waiters = self._by_id[waiter.id]
        del waiters[waiter]
        if not waiters:
            del self._by_id[waiter.id]
        assigned = waiter.assigned
        if assigned is not None:
            waits = self._of[assigned]
            del waits[waiter]
            if not waits:
                del self._of[assigned]
                del self._attempts[assigned.running.id]
