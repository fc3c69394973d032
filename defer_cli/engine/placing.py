"""Finding each attempt a worker, and beginning it there once the commit that starts it stands."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heapreplace
from typing import TypeAlias

from defer_cli.domain.settle import Running
from defer_cli.engine.deadlines import Deadlines
from defer_cli.engine.events import Listener, Started
from defer_cli.engine.slots import Slots
from defer_cli.engine.standstill import Standstill
from defer_cli.engine.watch import Watch
from defer_cli.link.frames import Retract, StartItem
from defer_cli.store.contract import Claim
from defer_cli.workers.holding import Holders
from defer_cli.workers.pool import Crew, Pool, Terms
from defer_cli.workers.process import Assigned, WorkerProcess

_log = logging.getLogger(__name__)
Marked = Mapping[str, dict[bytes, int]]
_NOBODY: Marked = {}
_Room: TypeAlias = tuple[int, int, WorkerProcess]
"""(load, position, worker) of a worker that has room, for a heap: the position decides between equals."""


class Placing:
    """Gives each attempt to the least loaded worker of its crew; ``assigned`` holds all that are with one."""

    def __init__(
        self,
        assigned: dict[int, Assigned],
        slots: Slots,
        deadlines: Deadlines,
        standstill: Standstill,
        watch: Watch,
        listener: Listener,
    ) -> None:
        self._assigned = assigned
        self._slots = slots
        self._deadlines = deadlines
        self._standstill = standstill
        self._watch = watch
        self._listener = listener
        self._holders = Holders()
        self._ahead: tuple[Claim, list[Assigned]] | None = None
        self.pool: Pool

    def begin(self, attempts: Sequence[Running], marked: Marked) -> list[Running]:
        """Begin attempts whose commit stands; return those there is no worker for."""
        return self._begin(attempts, marked, 0)[1]

    def begin_ahead(self, commit: int, claim: Claim) -> None:
        """Begin what can be begun while the commit that starts it is on its way: workers hold it until ``may_begin``.

        What has run before has to ask for its children first, and what is to be run isolated for a process.
        """
        fresh = [running for running in claim.started if running.attempt == 1 and running.isolation <= 0]
        # also where there is none: whether a commit stands is kept until it is asked for
        self._ahead = claim, self._begin(fresh, _NOBODY, commit)[0]

    def may_begin(self, commit: int) -> None:
        """A commit stands, as the writer's thread tells: what was begun ahead of it goes."""
        self._holders.release(commit)

    def left_of(self, claim: Claim) -> list[Running]:
        """Return what of a claim that is on disk was not begun ahead."""
        ahead, self._ahead = self._ahead, None
        if ahead is None or ahead[0] is not claim:
            return claim.started
        begun = ahead[1]
        if len(begun) == len(claim.started):
            return []
        seqs = {assigned.running.seq for assigned in begun}
        return [running for running in claim.started if running.seq not in seqs]

    def retract(self, commit: int, claim: Claim) -> list[Assigned]:
        """Have workers forget what waits for a commit that has failed; return that."""
        self._holders.forget(commit)
        ahead, self._ahead = self._ahead, None
        if ahead is None or ahead[0] is not claim:
            return []
        for worker in {assigned.process for assigned in ahead[1]}:
            worker.order(Retract(commit))
        return ahead[1]

    def begin_alone(self, running: Running, crew: Crew, worker: WorkerProcess, marked: dict[bytes, int] | None) -> None:
        """Begin an attempt in a process that it has to itself."""
        assigned, item = self._assign(running, crew.terms[running.function], worker, _now(), marked)
        self._watch_over([assigned])
        self._send({worker: [item]}, 0)

    def _begin(self, attempts: Iterable[Running], marked: Marked, commit: int) -> tuple[list[Assigned], list[Running]]:
        loop_now, size = _now(), self._slots.size
        frames: dict[WorkerProcess, list[StartItem]] = {}
        rooms: dict[Crew, list[_Room]] = {}
        begun: list[Assigned] = []
        left: list[Running] = []
        for running in attempts:
            crew = self.pool.route(running.function)
            if crew is None:  # it went with a reload between claim and commit
                left.append(running)
                continue
            room = rooms.get(crew)
            if room is None:
                room = rooms[crew] = self._rooms(crew)
            if not room:  # a wait was over while the claim was made
                left.append(running)
                continue
            load, position, worker = room[0]
            if load + 1 < size:
                heapreplace(room, (load + 1, position, worker))
            else:
                heappop(room)
            marks = marked.get(running.id) if marked else None
            assigned, item = self._assign(running, crew.terms[running.function], worker, loop_now, marks)
            begun.append(assigned)
            items = frames.get(worker)
            if items is None:
                frames[worker] = [item]
            else:
                items.append(item)
        self._watch_over(begun)
        is_held = commit > 0 and not self._holders.stands(commit)
        self._send(frames, commit if is_held else 0)
        if is_held:
            self._holders.add(commit, frames)
        return begun, left

    def _rooms(self, crew: Crew) -> list[_Room]:
        rooms = [
            (worker.load, position, worker)
            for position, worker in enumerate(crew.workers)
            if not worker.is_blocked and self._slots.have_room(worker.load)
        ]
        heapify(rooms)
        return rooms

    def _assign(
        self, running: Running, terms: Terms, worker: WorkerProcess, loop_now: float, marks: dict[bytes, int] | None
    ) -> tuple[Assigned, StartItem]:
        spec, number, seconds, span_us = terms
        seq = running.seq
        assigned = worker.assigned[seq] = self._assigned[seq] = Assigned(
            running, spec, worker, seconds, loop_now + seconds
        )
        return assigned, StartItem(
            seq,
            running.id,
            running.attempt,
            number,
            running.arguments,
            running.started_us + span_us,
            running.metadata,
            marks,
            running.trace,
        )

    def _watch_over(self, attempts: Sequence[Assigned]) -> None:
        self._deadlines.add(attempts)
        self._standstill.take(attempts)

    def _send(self, frames: Mapping[WorkerProcess, list[StartItem]], commit: int) -> None:
        for worker, items in frames.items():
            worker.begin(items, commit)
        self._watch.begun(frames)
        if _log.isEnabledFor(logging.DEBUG):
            for worker, items in frames.items():
                for item in items:
                    function = self._assigned[item.seq].running.function
                    self._listener.tell(Started(function, item.id, item.attempt, worker.pid))


def _now() -> float:
    return asyncio.get_running_loop().time()
