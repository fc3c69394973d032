"""What a drain did: counted while it runs, and as it is told to the test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from defer_cli.domain.settle import Move
from defer_cli.domain.states import State
from defer_cli.engine.events import Event, LeftQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What a drain did, in executions; ``retried`` counts attempts, ``waiting`` what is left for a later time."""

    succeed: int = 0
    failed: int = 0
    cancelled: int = 0
    discarded: int = 0
    aborted: int = 0
    retried: int = 0
    waiting: int = 0


class Tally:
    """Counts what happens during a drain."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._failed: list[Move] = []
        self.heard: set[str] = set()
        """Executions whose end was told to somebody who waited for it: their failures are that one's to handle."""
        self.waiting = 0

    def settled(self, moves: Sequence[Move]) -> None:
        """Attempts have ended."""
        self._counts.update(move.name if move.name == "retry" else str(move.target) for move in moves)
        self._failed += [move for move in moves if move.target is State.FAILED]

    def tell(self, event: Event) -> None:
        """Something else has happened."""
        if isinstance(event, LeftQueue):
            self._counts[event.state] += 1

    @property
    def unheard(self) -> list[Move]:
        """The failures that nobody has waited for."""
        return [move for move in self._failed if move.id not in self.heard]

    def drained(self) -> Drained:
        """Return the sums."""
        counts = self._counts
        return Drained(
            succeed=counts["succeed"],
            failed=counts["failed"],
            cancelled=counts["cancelled"],
            discarded=counts["discarded"],
            aborted=counts["aborted"],
            retried=counts["retry"],
            waiting=self.waiting,
        )
