"""Executions that are run alone, each in a process beyond the pool: what kills a process then kills its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from defer_cli.domain.settle import Running
from defer_cli.engine.places import Places
from defer_cli.engine.roster import Roster
from defer_cli.store.writer import Writer
from defer_cli.workers.pool import Crew, Pool
from defer_cli.workers.process import Assigned, WorkerProcess

PLACES = 2
"""So many run at a time; those that wait for others do not count. One does while a runner's killer is looked for."""

_REST_SECONDS = 2.0
_PAUSE_SECONDS = 1.0
_log = logging.getLogger(__name__)
Marked = dict[bytes, int] | None


class Isolated:
    """Finds each a process: one that is idle, or a fresh one.

    A process that has run others before may die of what they left in it. So who dies in a used one is not charged: it
    runs once more, in a fresh one. That way what is innocent costs no process each.

    While there are suspects, that runners have died with again and again (``has_suspects``), one runs at a time: two
    could not be told apart when the next runner dies. There are no new ones while a runner lives. Where one goes on
    that was not to, since its wait was cut, what runs beside it is interrupted.
    """

    def __init__(
        self,
        roster: Roster,
        places: Places,
        *,
        has_suspects: bool,
        begin: Callable[[Running, Crew, WorkerProcess, Marked], None],
        put_back: Callable[[Running], None],
    ) -> None:
        self._roster = roster
        self._begin = begin
        self._put_back = put_back
        self._idle: dict[WorkerProcess, Crew] = {}
        self._crews: dict[WorkerProcess, Crew] = {}
        self._needs_fresh: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        self._places = places
        places.on_crowded = self._interrupt_others
        self._count = 1 if has_suspects else PLACES
        self._writer: Writer
        self.pool: Pool

    def attach(self, writer: Writer, pool: Pool) -> None:
        """Learn who claims for it and who starts processes."""
        self._writer = writer
        self.pool = pool
        self._places.attach(writer)
        self._places.add(self._count)

    def take(self, running: Running, marked: Marked) -> None:
        """Run what was claimed as soon as there is a process for it; until then it is in hand."""
        crew = self.pool.route(running.function)
        if crew is None or self._is_stopping or self._would_crowd:
            self._put_back(running)
            return
        worker = None if running.seq in self._needs_fresh else self._idle_of(crew)
        if worker is not None:
            self._place(running, crew, worker, marked)
            return
        self._roster.take_in_hand([running])
        task = asyncio.get_running_loop().create_task(self._start(running, crew, marked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def freed(self, worker: WorkerProcess) -> None:
        """What ran alone has ended: its process may run the next one, for a while."""
        self._look_for_suspects()
        crew = self._crews.get(worker)
        if crew is None or worker.assigned:
            return
        self._idle[worker] = crew
        asyncio.get_running_loop().call_later(_REST_SECONDS, self._let_go_if_idle, worker, worker.begun)

    def died(self, worker: WorkerProcess) -> None:
        """A process has ended; what it ran is to have a fresh one if others had run in it before."""
        self._crews.pop(worker, None)
        self._idle.pop(worker, None)
        self._look_for_suspects()
        if worker.begun > 1:
            self._needs_fresh.update(worker.assigned)

    def stop(self) -> None:
        """Begin nothing any more."""
        self._is_stopping = True

    def _look_for_suspects(self) -> None:
        if self._count < PLACES and not self._is_stopping:
            asyncio.get_running_loop().call_soon(self._ask)  # the writer has what the attempt came to by then

    def _ask(self) -> None:
        self._writer.submit(lambda store: store.has_runner_suspects()).add_done_callback(self._answered)

    def _answered(self, asked: asyncio.Future[bool]) -> None:
        if asked.exception() is None and not asked.result():
            more, self._count = PLACES - self._count, PLACES
            self._places.add(more)

    @property
    def _would_crowd(self) -> bool:
        return self._count < PLACES and self._places.is_crowded

    def _interrupt_others(self, assigned: Assigned) -> None:
        if self._count == PLACES or self._is_stopping:
            return
        for worker in list(self._crews):
            if any(not (one is assigned or one.is_waiting or one.is_ending) for one in worker.assigned.values()):
                worker.condemn(f"was killed: {assigned.running.function} goes on, and is to run alone")

    def _idle_of(self, crew: Crew) -> WorkerProcess | None:
        for worker, its_crew in list(self._idle.items()):
            if its_crew is crew and worker.is_usable:
                return worker
            if its_crew is not self.pool.crew:  # the code has changed
                self._let_go(worker)
        return None

    async def _start(self, running: Running, crew: Crew, marked: Marked) -> None:
        try:
            worker = await self.pool.start_alone(crew)
        except OSError as error:
            _log.error("a process for %s could not be started: %s", running.id, error)
            worker = None
        if worker is None:
            await asyncio.sleep(_PAUSE_SECONDS)  # it is claimed again at once, and may fare no better
        else:
            self._crews[worker] = crew
        is_wanted = bool(self._roster.let_go([running]))
        if is_wanted and worker is not None and not (self._is_stopping or self._would_crowd):
            self._needs_fresh.discard(running.seq)
            self._place(running, crew, worker, marked)
            return
        if worker is not None:
            self.freed(worker)
        if is_wanted:
            self._put_back(running)

    def _place(self, running: Running, crew: Crew, worker: WorkerProcess, marked: Marked) -> None:
        self._idle.pop(worker, None)
        self._begin(running, crew, worker, marked)

    def _let_go_if_idle(self, worker: WorkerProcess, begun: int) -> None:
        if worker in self._idle and worker.begun == begun:
            self._let_go(worker)

    def _let_go(self, worker: WorkerProcess) -> None:
        self._idle.pop(worker, None)
        self._crews.pop(worker, None)
        worker.leave()
