"""What a runner has done since it began, counted on the way to whoever shows it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from defer_cli.domain.settle import Move
from defer_cli.engine.events import Event, Listener, WorkerDied

BOUNDS_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
_BOUNDS_US = [int(bound * 1_000_000) for bound in BOUNDS_SECONDS]


class Spans:
    """How many spans of time ended in each bucket (the last one is for all that are longer), and their sum."""

    __slots__ = ("counts", "total_us")

    def __init__(self) -> None:
        self.counts = [0] * (len(_BOUNDS_US) + 1)
        self.total_us = 0


class Tally:
    """The attempts of one function that have ended: how, how long they waited for their start and ran."""

    __slots__ = ("durations", "others", "waits")

    def __init__(self) -> None:
        self.durations = Spans()
        self.waits = Spans()
        self.others: dict[str, int] = {}
        """By the move that ended them, all but ``succeed``: that is what is left of them all."""

    @property
    def outcomes(self) -> dict[str, int]:
        """How many attempts each move has ended."""
        others = dict(self.others)
        return {"succeed": sum(self.durations.counts) - sum(others.values()), **others}


class Measures:
    """Counts what is told and passes it on: tens of thousands of moves a second, so each costs a microsecond."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.tallies: dict[str, Tally] = {}
        self.worker_deaths = 0

    def settled(self, moves: Sequence[Move]) -> None:
        """Count attempts that have ended."""
        bounds, bucket_of = _BOUNDS_US, bisect_left
        function: str | None = None
        for move in moves:
            if move.function is not function:  # those of one function often come together
                function = move.function
                tally = self._tally_of(function)
            started_us = move.started_us
            span_us = move.at_us - started_us
            spans = tally.durations
            spans.counts[bucket_of(bounds, span_us)] += 1
            if span_us > 0:  # the clock may have been set back meanwhile
                spans.total_us += span_us
            span_us = 0 if move.due_us is None else started_us - move.due_us
            spans = tally.waits
            spans.counts[bucket_of(bounds, span_us)] += 1
            if span_us > 0:
                spans.total_us += span_us
            if move.name != "succeed":
                tally.others[move.name] = tally.others.get(move.name, 0) + 1
        self._listener.settled(moves)

    def _tally_of(self, function: str) -> Tally:
        tally = self.tallies.get(function)
        if tally is None:
            tally = self.tallies[function] = Tally()
        return tally

    def tell(self, event: Event) -> None:
        """Count workers that died."""
        self.worker_deaths += type(event) is WorkerDied
        self._listener.tell(event)
