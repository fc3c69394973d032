"""Who waits for which execution, and the slot a waiting attempt gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from defer_cli.domain.settle import Move

Reply = Callable[[str, bytes | None, bytes | None], None]
encode_json = msgspec.json.Encoder().encode


@dataclass(slots=True, eq=False)
class _Waiter:
    reply: Reply
    seq: int


class Waiting:
    """Answers when an awaited execution has ended; an attempt that waits holds no slot meanwhile."""

    def __init__(self, give_back: Callable[[int], bool], take_again: Callable[[int], None]) -> None:
        self._give_back = give_back
        self._take_again = take_again
        self._by_id: dict[str, list[_Waiter]] = {}
        self._waits_of: dict[int, set[str]] = {}
        self._functions: dict[str, str] = {}

    def is_awaited(self, id: str) -> bool:
        """Whether anybody waits for this execution."""
        return id in self._by_id

    def add(self, id: str, reply: Reply, *, seq: int) -> None:
        """Reply once ``id`` has ended; ``seq`` is the attempt that waits, 0 for a caller outside."""
        self._by_id.setdefault(id, []).append(_Waiter(reply, seq))
        if seq:
            waits = self._waits_of.setdefault(seq, set())
            waits.add(id)
            self._give_back(seq)

    def note_function(self, id: str, function: str) -> None:
        """Remember of which function an awaited execution is."""
        if id in self._by_id:
            self._functions[id] = function

    def function_of(self, id: str) -> str | None:
        """Return the function of an awaited execution, None when it is not known."""
        return self._functions.get(id)

    def settled(self, move: Move) -> None:
        """An execution that somebody waits for has ended by this move."""
        error = encode_json(move.error) if move.error is not None else None
        self.ended(move.id, str(move.target), move.result, error)

    def ended(self, id: str, state: str, result: bytes | None, error: bytes | None) -> None:
        """Answer everybody who waits for this execution."""
        self._functions.pop(id, None)
        for waiter in self._by_id.pop(id, ()):
            self._resume(waiter.seq, id)
            waiter.reply(state, result, error)

    def is_waiting_for(self, seq: int) -> set[str]:
        """Return the ids an attempt waits for."""
        return self._waits_of.get(seq, set())

    def forget(self, seq: int) -> None:
        """Drop the waits of an attempt that has ended."""
        for id in self._waits_of.pop(seq, ()):
            left = [waiter for waiter in self._by_id.get(id, ()) if waiter.seq != seq]
            if left:
                self._by_id[id] = left
            else:
                self._by_id.pop(id, None)
                self._functions.pop(id, None)

    def drop(self, replies: set[Reply]) -> None:
        """Drop waits that were refused, or whose caller has gone."""
        for id, waiters in list(self._by_id.items()):
            left = []
            for waiter in waiters:
                if waiter.reply in replies:
                    self._resume(waiter.seq, id)
                else:
                    left.append(waiter)
            if left:
                self._by_id[id] = left
            else:
                del self._by_id[id]
                self._functions.pop(id, None)

    def _resume(self, seq: int, id: str) -> None:
        waits = self._waits_of.get(seq)
        if waits is None:
            return
        waits.discard(id)
        if not waits:
            del self._waits_of[seq]
            self._take_again(seq)
