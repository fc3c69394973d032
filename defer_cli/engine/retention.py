"""What finished long ago, or is one too many, is deleted: small steps in the time that the store has to spare."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

from msgspec.structs import replace

from defer_cli.domain.duration import in_words
from defer_cli.domain.errors import StoreError
from defer_cli.domain.retention import RetentionSettings, Round
from defer_cli.domain.states import FINAL_STATES
from defer_cli.engine.dispatcher import Dispatcher
from defer_cli.engine.events import Listener, Note
from defer_cli.reports import Reports
from defer_cli.store.contract import Pruned, Reader, Store
from defer_cli.store.writer import Writer

T = TypeVar("T")

_MICROSECOND = timedelta(microseconds=1)
_SECOND_US = 1_000_000
_FIRST_US = 60 * _SECOND_US
"""A runner that lives for a moment, while somebody writes a function, deletes nothing."""
_SOON_US, _LATER_US = 60 * _SECOND_US, 300 * _SECOND_US
_STEP_SECONDS = 0.001
_LOOKED_AT, _LOGS_LOOKED_AT = 1_000, 250
_SHARE = 1 / 20
"""Of the writer's time, whatever waits: a store under a load that never rests would grow for ever."""
_SHARE_BESIDE_WORK, _SHARE_IDLE = 1 / 10, 1 / 2
_SPARED = 1 / 16
"""Of the file is left empty: what comes next takes its place without making the file longer again."""
_ANY_US = 1 << 62
_LOGS_AGAIN_US = 86_400 * _SECOND_US


class Pace:
    """How much of one kind fits a step, learnt from what the last ones took."""

    def __init__(self, size: int, *, most: int) -> None:
        self.size = size
        self._most = most

    def learn(self, done: int, seconds: float) -> None:
        """Know that ``done`` took so long; a step that had little to do tells only when it is too slow."""
        if not done or (done < self.size and seconds < _STEP_SECONDS):
            return
        ratio = min(2.0, max(0.25, _STEP_SECONDS / max(seconds, 1e-6)))
        self.size = min(self._most, max(8, int(self.size * ratio)))


class Retention:
    """Goes round what is stored, from the oldest on, and rests; all methods belong to the event loop."""

    def __init__(
        self,
        settings: RetentionSettings,
        writer: Writer,
        dispatcher: Dispatcher,
        reports: Reports,
        listener: Listener,
        *,
        clock: Callable[[], int],
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.settings = settings
        self._writer = writer
        self._dispatcher = dispatcher
        self._reports = reports
        self._listener = listener
        self._clock = clock
        self._timer = timer
        self._pause_us = _FIRST_US
        self._next_us = clock() + _FIRST_US
        self._spent = 0.0
        self._executions, self._logs, self._pages = Pace(64, most=1_000), Pace(64, most=1_000), Pace(64, most=2_000)
        self._logs_from, self._logs_anew_us = 0, 0
        self.round: Round | None = None
        """The one under way, else the last one."""
        self.pruned = {"executions": 0, "logs": 0}
        """How much was deleted since the runner began."""

    def next_us(self) -> int | None:
        """Return when the next round begins; None: nothing is ever deleted."""
        return self._next_us if self.settings.is_on else None

    async def run(self) -> None:
        """Go round once, if it is time to."""
        now_us = self._clock()
        if not self.settings.is_on or 0 < self._next_us - now_us <= self._pause_us:  # more: the clock was set back
            return
        self._spent = 0.0
        self.round = Round(began_us=now_us)
        try:
            await self._prune_by_age()
            await self._prune_by_number()
            await self._prune_logs()
            await self._give_back()
        except StoreError:  # the writer has told why it takes nothing
            pass
        finally:
            self._rest()
        with suppress(StoreError):
            await self._keep()
        if self.round.executions or self.round.logs:
            fields: dict[str, object] = {"executions": self.round.executions, "logs": self.round.logs}
            self._listener.tell(Note("info", "what had finished long ago was deleted", fields))

    def _rest(self) -> None:
        """Say when the next round begins: one that took long is not soon followed by another."""
        assert self.round is not None
        now_us = self._clock()
        least_us = _SOON_US if self.round.executions or self.round.logs else _LATER_US
        self._pause_us = max(least_us, round(self._spent / _SHARE * _SECOND_US))
        self._next_us = now_us + self._pause_us
        self.round = replace(self.round, ended_us=now_us, next_us=self._next_us)

    async def _prune_by_age(self) -> None:
        if self.settings.executions is None:
            return
        await self._prune(self._clock() - self.settings.executions // _MICROSECOND)

    async def _prune_by_number(self) -> None:
        """Delete what is one too many, the oldest first; children that wait for their parent do not count."""
        most = self.settings.most
        if most is None:
            return
        surplus = await self._reports.read(lambda reader: _count_finished(reader) - most)
        if surplus > 0:  # counted after: what finishes meanwhile counts for less, never for more
            surplus -= await self._reports.read(lambda reader: reader.count_kept())
        if surplus > 0:
            await self._prune(_ANY_US, surplus)

    async def _prune(self, before_us: int, surplus: int | None = None) -> None:
        pace, left = self._executions, surplus
        place: int | None = 0
        while place is not None and left != 0:
            size = pace.size if left is None else min(pace.size, left)

            def prune(store: Store, from_seq: int = place, most: int = size) -> Pruned:
                return store.prune(before_us=before_us, from_seq=from_seq, limit=_LOOKED_AT, most=most)

            pruned = await self._step(prune, pace, lambda pruned: pruned.deleted)
            left = None if left is None else left - pruned.deleted
            await self._count(executions=pruned.deleted)
            place = self._place_after(pruned, before_us)

    async def _prune_logs(self) -> None:
        if self.settings.logs is None:
            return
        now_us = self._clock()
        before_us = now_us - self.settings.logs // _MICROSECOND
        note = f"what was printed here has been deleted: logs are kept for {in_words(self.settings.logs)}"
        if not 0 <= now_us - self._logs_anew_us < _LOGS_AGAIN_US:  # what was unfinished then may have ended since
            self._logs_from, self._logs_anew_us = 0, now_us
        place: int | None = self._logs_from
        while place is not None:
            self._logs_from = place

            def prune(store: Store, from_seq: int = place) -> Pruned:
                most = self._logs.size
                return store.prune_logs(
                    before_us=before_us, from_seq=from_seq, limit=_LOGS_LOOKED_AT, most=most, note=note
                )

            pruned = await self._step(prune, self._logs, lambda pruned: pruned.deleted)
            await self._count(logs=pruned.deleted)
            place = self._place_after(pruned, before_us)

    async def _give_back(self) -> None:
        given = 1
        while given:
            given = await self._step(
                lambda store: store.give_back(limit=self._pages.size, spared=_SPARED), self._pages, lambda given: given
            )

    def _place_after(self, pruned: Pruned, before_us: int) -> int | None:
        """Return where to go on: not beyond what was made after the moment, which cannot have finished before it."""
        reached_us = pruned.reached_us
        is_over = reached_us is not None and before_us <= reached_us <= self._clock()  # later: under a wrong clock
        return None if is_over else pruned.next_seq

    async def _step(self, work: Callable[[Store], T], pace: Pace, done: Callable[[T], int]) -> T:
        """Let the writer do a little, then leave it alone for a time that goes with what it took."""
        took = 0.0

        def timed(store: Store) -> T:
            nonlocal took
            began = self._timer()
            made = work(store)
            took = self._timer() - began
            return made

        made = await self._writer.submit(timed)
        pace.learn(done(made), took)
        self._spent += took
        await asyncio.sleep(took / self._share() - took)
        return made

    def _share(self) -> float:
        if self._dispatcher.is_idle:
            return _SHARE_IDLE
        return _SHARE_BESIDE_WORK if self._writer.free_slots > 0 else _SHARE

    async def _count(self, *, executions: int = 0, logs: int = 0) -> None:
        assert self.round is not None
        is_first = not self.round.executions and not self.round.logs
        self.pruned["executions"] += executions
        self.pruned["logs"] += logs
        self.round = replace(self.round, executions=self.round.executions + executions, logs=self.round.logs + logs)
        if is_first and (executions or logs):
            await self._keep()

    async def _keep(self) -> None:
        made = self.round
        assert made is not None
        await self._writer.submit(lambda store: store.keep_round(made))


def _count_finished(reader: Reader) -> int:
    return sum(count for (_, state), count in reader.counts().items() if state in FINAL_STATES)
