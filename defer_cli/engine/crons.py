"""Fires crons: each tick is a row written once with its execution; what was missed is found by marks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Protocol, TypeVar

from defer_cli.domain.cron import Cron
from defer_cli.domain.errors import CronError
from defer_cli.domain.execution import to_moment
from defer_cli.domain.function import FunctionSpec
from defer_cli.domain.ticks import CHANGED, FIRST_SEEN, NO_RUNNER, STOOD_STILL, Owed, next_tick_us, owed_in_pause
from defer_cli.engine.cron_plan import Plan, Write, gaps_owed, skips_owed, ticks_owed
from defer_cli.engine.events import Listener, Note
from defer_cli.engine.owed import owed_at_start, owed_when_due
from defer_cli.store.contract import Gap, Mark, Store, Tick

T = TypeVar("T")

DUE_A_TURN = 200
PLANNED_A_TURN = 10
"""The next tick of a cron takes up to 0.4 ms to find: the loop gets its turn in between."""
Key = tuple[str, str]
_DEV = "defer dev does not catch up"
_NONE = 'catch_up is "none"'


class Submitter(Protocol):
    """Does work in a transaction of the store, in arrival order; an error undoes it alone."""

    def submit(self, work: Callable[[Store], T]) -> asyncio.Future[T]:
        """Begin ``work``; the future has its result once it is on disk."""


class Crons:
    """Holds a heap of next ticks. The tick's row decides what has happened; memory only knows when to look.

    All methods belong to the event loop. Nothing in memory moves before its transaction has committed, so
    what the store refuses is tried again at the next wake. Whether a cron is paused is decided on disk as well: what
    was planned while another pause held is not written, but planned anew.
    """

    def __init__(self, writer: Submitter, listener: Listener, clock: Callable[[], int], *, catches_up: bool) -> None:
        self._writer = writer
        self._listener = listener
        self._clock = clock
        self._catches_up = catches_up
        self._plans: dict[str, Plan] = {}
        self._heap: list[tuple[int, str, Plan]] = []
        self._wanted: list[FunctionSpec] | None = None
        self._seen_us = 0
        self._is_refused = False
        self._paused: Mapping[str, int] | None = None
        self._is_stale = False
        self.fired: Counter[str] = Counter()
        """Ticks that were enqueued, by function, since this runner began."""
        self.gaps: Counter[str] = Counter()
        """Spans of missed ticks, by function; how many ticks one holds is not known."""
        self.skipped: Counter[str] = Counter()
        """Ticks that a pause has skipped, by function; those of a time in which nobody looked are one."""
        self._lock = asyncio.Lock()

    async def set_functions(self, specs: Iterable[FunctionSpec]) -> None:
        """Fire the crons among ``specs`` from now on, and run what they owe; call it at start and at each reload.

        A cron that has been here under the same canonical form goes on untouched. The mark of a cron that is
        gone is removed, and so is that of a form its function no longer has: going back to an old schedule owes
        nothing. A runner of another version that still lives goes on from its memory and writes its mark anew.
        When the store refuses, ``fire_due`` tries again.
        """
        self._wanted = [spec for spec in specs if spec.kind == "cron"]
        async with self._lock:
            await self._take_in()

    async def fire_due(self) -> None:
        """Enqueue every tick that has come; call it at each wake of the alarm."""
        async with self._lock:
            await self._look()
            if self._is_stale:  # a pause or a resume came first
                await self._look()

    async def heed_pauses(self) -> None:
        """Take note that crons were paused or resumed; call it once that is on disk."""
        async with self._lock:
            await self._heed()

    def next_us(self) -> int | None:
        """Return when the next tick is due."""
        return self._heap[0][0] if self._heap else None

    def upcoming(self) -> list[tuple[str, datetime]]:
        """Return each cron's function with its next tick, the soonest first; of those that are not paused."""
        paused = self._paused or {}
        dues = sorted(
            (plan.due_us, plan.function)
            for plan in self._plans.values()
            if plan.due_us is not None and plan.function not in paused
        )
        return [(function, to_moment(due_us)) for due_us, function in dues]

    async def _look(self) -> None:
        if not await self._take_in() or (self._is_stale and await self._heed() is None):
            return
        now_us = self._clock()
        if now_us < self._seen_us and not await self._step_back(now_us):
            return
        self._seen_us = now_us
        if self._heap and self._heap[0][0] <= now_us:
            await self._fire(now_us)

    # Taking in.

    async def _take_in(self) -> bool:
        specs = self._wanted
        if specs is None:
            return True
        by_key = await self._heed()
        if by_key is None:
            return False
        paused = self._paused or {}
        newest: dict[str, int] = {}
        for (function, _), mark_us in by_key.items():
            newest[function] = max(mark_us, newest.get(function, mark_us))
        now_us = self._clock()
        plans: dict[str, Plan] = {}
        owed: list[tuple[Plan, Owed]] = []
        left: list[tuple[Plan, Owed]] = []
        changed: list[Mark] = []
        for number, spec in enumerate(specs, start=1):
            if number % PLANNED_A_TURN == 0:
                await asyncio.sleep(0)
            cron = self._read(spec)
            if cron is None:
                continue
            why_not = self._why_not(spec)
            old = self._plans.get(spec.name)
            if old is not None and old.cron.canonical == cron.canonical:
                old.why_not = why_not
                plans[spec.name] = old
                continue
            known_us, other_us = by_key.get((spec.name, cron.canonical)), newest.get(spec.name)
            since_us = paused.get(spec.name)
            if since_us is None:
                debt = owed_at_start(cron, mark_us=known_us, other_mark_us=other_us, now_us=now_us, why_not=why_not)
            elif known_us is not None:
                debt = owed_in_pause(cron, mark_us=known_us, since_us=since_us, now_us=now_us, cause=NO_RUNNER)
            else:  # what the schedule it had until now owes is skipped first
                old_forms = _of_other_forms(spec.name, by_key, since_us=since_us, now_us=now_us)
                left += old_forms
                other_us = max([debt.mark_us for _, debt in old_forms], default=None)
                debt = owed_at_start(cron, mark_us=None, other_mark_us=other_us, now_us=now_us, why_not=why_not)
            plan = Plan(spec.name, cron, why_not, debt.mark_us, next_tick_us(cron, debt.mark_us))
            plans[spec.name] = plan
            owed.append((plan, debt))
            if debt.mark_us != known_us and debt.tick_us is None:
                changed.append(Mark(*plan.key, debt.mark_us))
        keep = [plan.key for plan in plans.values()]
        left += owed
        gaps = gaps_owed(left)
        if not await self._ask(self._write(ticks_owed(owed, now_us), changed, gaps, skips_owed(left), keep)):
            return False
        if self._wanted is specs:
            self._wanted = None
        self._plans = plans
        self._plan_anew()
        self._seen_us = max(self._seen_us, now_us)
        self._count(left)
        self._tell(gaps)
        self._tell_ended([plan for plan, _ in owed])
        return True

    def _read(self, spec: FunctionSpec) -> Cron | None:
        try:
            return Cron.parse(spec.schedule)
        except CronError as error:
            self._listener.tell(Note("error", "a schedule was refused", {"function": spec.name, "error": str(error)}))
            return None

    def _why_not(self, spec: FunctionSpec) -> str | None:
        if not self._catches_up:
            return _DEV
        return _NONE if spec.options.catch_up == "none" else None

    def _plan_anew(self) -> None:
        self._heap = []
        for plan in self._plans.values():
            plan.is_waiting = plan.due_us is not None
            if plan.due_us is not None:
                self._heap.append((plan.due_us, plan.function, plan))
        heapify(self._heap)

    # Firing.

    async def _fire(self, now_us: int) -> None:
        taken: list[Plan] = []
        writes: list[tuple[list[tuple[Plan, Owed]], list[Gap], asyncio.Future[bool]]] = []
        moved: dict[tuple[str, str], int] | None = None
        try:
            while self._heap and self._heap[0][0] <= now_us:
                batch = await self._take_due(now_us, taken)
                gaps = gaps_owed(batch)
                if gaps:
                    if moved is None and (moved := await self._marks()) is None:
                        break
                    gaps = [gap for gap in gaps if moved.get((gap.function, gap.canonical), 0) < gap.until_us]
                marks = [Mark(*plan.key, debt.mark_us) for plan, debt in batch if debt.tick_us is None]
                write = self._write(ticks_owed(batch, now_us), marks, gaps, skips_owed(batch))
                writes.append((batch, gaps, self._writer.submit(write)))
                await asyncio.sleep(0)
            written = [(batch, gaps) for batch, gaps, future in writes if await self._answer(future)]
            for batch, _ in written:
                self._count(batch)
            for batch, gaps in written:  # all are on disk first: finding next ticks would hold the writer up
                await self._move_on(batch)
                self._tell(gaps)
        finally:
            for plan in taken:
                self._wait(plan)

    async def _take_due(self, now_us: int, taken: list[Plan]) -> list[tuple[Plan, Owed]]:
        batch: list[tuple[Plan, Owed]] = []
        late = 0
        while self._heap and self._heap[0][0] <= now_us and len(batch) < DUE_A_TURN:
            due_us, _, plan = heappop(self._heap)
            plan.is_waiting = False
            taken.append(plan)
            debt = self._owed(plan, due_us, now_us)
            batch.append((plan, debt))
            late += debt.missed is not None or debt.skipped is not None
            if late >= PLANNED_A_TURN:
                late = 0
                await asyncio.sleep(0)
        return batch

    def _owed(self, plan: Plan, due_us: int, now_us: int) -> Owed:
        since_us = (self._paused or {}).get(plan.function)
        if since_us is None:
            return owed_when_due(plan.cron, mark_us=plan.mark_us, due_us=due_us, now_us=now_us, why_not=plan.why_not)
        return owed_in_pause(plan.cron, mark_us=plan.mark_us, since_us=since_us, now_us=now_us, cause=STOOD_STILL)

    async def _marks(self) -> dict[Key, int] | None:
        """Return the marks on disk: where another runner has moved one, nothing was missed."""
        marks = await self._ask(lambda store: store.marks())
        return None if marks is None else _by_key(marks)

    async def _move_on(self, batch: Sequence[tuple[Plan, Owed]]) -> None:
        for number, (plan, debt) in enumerate(batch, start=1):
            plan.mark_us = debt.mark_us
            plan.due_us = next_tick_us(plan.cron, plan.mark_us)
            self._wait(plan)
            if number % PLANNED_A_TURN == 0:
                await asyncio.sleep(0)
        self._tell_ended([plan for plan, _ in batch])

    def _wait(self, plan: Plan) -> None:
        if plan.due_us is not None and not plan.is_waiting:
            plan.is_waiting = True
            heappush(self._heap, (plan.due_us, plan.function, plan))

    # Pauses.

    async def _heed(self) -> dict[Key, int] | None:
        """Take over from the disk what is paused; a cron whose pause began or ended goes on from its mark there.

        Returns the marks; None when the store refused.
        """
        state = await self._ask(lambda store: (store.marks(), store.paused()))
        if state is None:
            return None
        by_key, paused, before = _by_key(state[0]), state[1], self._paused
        self._paused, self._is_stale = paused, False
        if before is None:
            if paused:
                self._listener.tell(Note("info", "crons are paused", {"count": len(paused)}))
            return by_key
        changed = sorted(name for name in {*before, *paused} if before.get(name) != paused.get(name))
        plans = [self._plans[name] for name in changed if name in self._plans]
        for number, plan in enumerate(plans, start=1):
            plan.mark_us = by_key.get(plan.key, plan.mark_us)
            plan.due_us = next_tick_us(plan.cron, plan.mark_us)
            if number % PLANNED_A_TURN == 0:
                await asyncio.sleep(0)
        if plans:
            self._plan_anew()
        for name in changed:
            message = "a cron was paused" if name in paused else "a cron was resumed"
            self._listener.tell(Note("info", message, {"function": name}))
        return by_key

    # The clock and the store.

    async def _step_back(self, now_us: int) -> bool:
        """Go on from now with the crons that were considered under the wrong clock; the others wait as before."""
        ahead = [plan for plan in self._plans.values() if plan.mark_us > now_us]
        if not ahead:
            return True
        marks = [Mark(*plan.key, now_us) for plan in ahead]
        if not await self._ask(self._write([], marks, [], [])):
            return False
        for number, plan in enumerate(ahead, start=1):
            plan.mark_us = now_us
            plan.due_us = next_tick_us(plan.cron, now_us)
            if number % PLANNED_A_TURN == 0:
                await asyncio.sleep(0)
        self._plan_anew()
        seconds = round((self._seen_us - now_us) / 1_000_000, 3)
        self._listener.tell(Note("warning", "the clock went back, crons go on from now", {"seconds": seconds}))
        return True

    def _write(
        self, ticks: list[Tick], marks: list[Mark], gaps: list[Gap], skips: list[Gap], keep: list[Key] | None = None
    ) -> Write:
        return Write(self._paused or {}, ticks, marks, gaps, skips, keep)

    async def _ask(self, work: Callable[[Store], T]) -> T | None:
        return await self._answer(self._writer.submit(work))

    async def _answer(self, future: asyncio.Future[T]) -> T | None:
        """Return what was written; None when the store refused, which is told once until it heals."""
        try:
            answer = await future
        except Exception as error:
            if not self._is_refused:
                self._is_refused = True
                self._listener.tell(Note("error", "crons wait for the store", {"error": str(error)}))
            return None
        self._is_refused = False
        self._is_stale |= answer is False
        return answer

    def _count(self, written: Sequence[tuple[Plan, Owed]]) -> None:
        self.fired.update([plan.function for plan, debt in written if debt.tick_us is not None])
        self.skipped.update([plan.function for plan, debt in written if debt.skipped is not None])

    def _tell(self, gaps: Sequence[Gap]) -> None:
        for gap in gaps:
            if gap.reason != FIRST_SEEN:
                self.gaps[gap.function] += gap.reason != CHANGED
                fields: dict[str, object] = {
                    "function": gap.function,
                    "after": to_moment(gap.after_us).isoformat(),
                    "until": to_moment(gap.until_us).isoformat(),
                    "reason": gap.reason,
                }
                self._listener.tell(Note("warning", "ticks were missed", fields))

    def _tell_ended(self, plans: Iterable[Plan]) -> None:
        for plan in plans:
            if plan.due_us is None:
                self._listener.tell(Note("warning", "the calendar has no further tick", {"function": plan.function}))


def _by_key(marks: Iterable[Mark]) -> dict[Key, int]:
    return {(mark.function, mark.canonical): mark.mark_us for mark in marks}


def _of_other_forms(function: str, by_key: Mapping[Key, int], *, since_us: int, now_us: int) -> list[tuple[Plan, Owed]]:
    """Return what a paused cron owes under the schedules that it had before."""
    found: list[tuple[Plan, Owed]] = []
    for (name, canonical), mark_us in by_key.items():
        if name == function:
            cron = Cron(canonical, canonical)
            debt = owed_in_pause(cron, mark_us=mark_us, since_us=since_us, now_us=now_us, cause=NO_RUNNER)
            found.append((Plan(name, cron, None, mark_us, None), debt))
    return found
