"""The pool: as many workers as asked for, replaced when they die, exchanged when the code changes."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from defer_cli.domain.function import FunctionSpec
from defer_cli.link.frames import Load, LoadedFunction, Ready
from defer_cli.workers.memory import resident_bytes
from defer_cli.workers.process import WorkerProcess

_log = logging.getLogger(__name__)
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 5.0
_MOST_DOUBLINGS = 10
_LEAVE_SECONDS = 1.0
_LOAD_SECONDS = 60.0
"""Twice as long as discovery waits for the same imports: who takes longer hangs, and would hold up the start."""
_SURPLUS_SECONDS = 10.0
"""So long one worker more than asked for stays: what blocked one of them once often does it again."""
_MOST_TIMES = 2
"""Of workers that are blocked, so many times the size of the pool at most are kept, with those that stand in."""


class Terms(NamedTuple):
    """What an attempt of a function begins with: its number in frames, and how long it may run."""

    spec: FunctionSpec
    number: int
    seconds: float
    span_us: int


class Crew:
    """The workers of one state of the code, and the numbers its functions have in frames."""

    def __init__(self, functions: Sequence[FunctionSpec], *, project: Path, folder: Path) -> None:
        self.specs = {spec.name: spec for spec in functions}
        self.numbers = {spec.name: number for number, spec in enumerate(functions)}
        self.terms = {spec.name: _terms(spec, number) for number, spec in enumerate(functions)}
        self.workers: list[WorkerProcess] = []
        self.load = Load(
            project=str(project),
            folder=str(folder),
            functions=[
                LoadedFunction(self.numbers[spec.name], spec.name, spec.module, str(project / spec.file))
                for spec in functions
            ],
        )


def _terms(spec: FunctionSpec, number: int) -> Terms:
    seconds = spec.options.max_duration.total_seconds()
    return Terms(spec, number, seconds, int(seconds * 1_000_000))


class Pool:
    """Keeps ``size`` workers of the newest crew alive; older crews end when their last attempt has."""

    def __init__(
        self,
        *,
        size: int,
        project: Path,
        folder: Path,
        environment: Mapping[str, str],
        on_frame: Callable[[WorkerProcess, Any], None],
        on_ready: Callable[[WorkerProcess], None],
        on_retire: Callable[[WorkerProcess], None],
        on_death: Callable[[WorkerProcess], None],
        on_pids: Callable[[Sequence[int]], None],
    ) -> None:
        self._size = size
        self._project = project
        self._folder = folder
        self._environment = environment
        self._on_frame = on_frame
        self._on_ready = on_ready
        self._on_retire = on_retire
        self._on_death = on_death
        self._on_pids = on_pids
        self._spares: list[WorkerProcess] = []
        self._ready: dict[WorkerProcess, asyncio.Future[dict[int, str]]] = {}
        self._crews: dict[WorkerProcess, Crew] = {}
        self._count = 0
        self._deaths_in_a_row = 0
        self._is_stopping = False
        self._exit = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.crew = Crew((), project=project, folder=folder)
        self._routes: dict[str, Crew] = {}

    @property
    def processes(self) -> list[WorkerProcess]:
        """Every worker alive."""
        return [*self._crews, *self._spares]

    async def warm_up(self) -> None:
        """Start processes before it is known what they are to load."""
        for _ in range(self._size - len(self._spares)):
            self._spares.append(await self._start())

    async def exchange(self, functions: Sequence[FunctionSpec], *, keep: Collection[str] = ()) -> dict[str, str]:
        """Make a crew for ``functions`` the newest; return, by function, what stopped it from being imported.

        Older crews go on until the new one is ready; then they serve what is in ``keep``, or retire: what
        they run ends where it is.
        """
        crew = Crew(functions, project=self._project, folder=self._folder)
        await self.warm_up()
        workers, self._spares = self._spares[: self._size], self._spares[self._size :]
        waits = [self._load(worker, crew) for worker in workers]
        answers = await asyncio.gather(*waits)
        crew.workers = [worker for worker in workers if worker.is_usable]
        older = {*self._routes.values(), self.crew}
        kept = {name: self._routes[name] for name in keep if name in self._routes and name not in crew.specs}
        self.crew = crew
        self._routes = kept | dict.fromkeys(crew.specs, crew)
        for left in older - {*kept.values(), crew}:
            for worker in list(left.workers):
                self.retire(worker)
        for worker in crew.workers:
            self._join(worker)
        for _ in range(self._size - len(crew.workers)):  # some died while they loaded
            self._replace_one()
        names = {number: name for name, number in crew.numbers.items()}
        return {names[number]: why for answer in answers for number, why in answer.items()}

    def route(self, function: str) -> Crew | None:
        """Return the crew that runs a function; None when none can."""
        crew = self._routes.get(function)
        return crew if crew is self.crew or (crew is not None and crew.workers) else None

    @property
    def specs(self) -> dict[str, FunctionSpec]:
        """Every function that a crew can run, as that crew knows it."""
        return {name: crew.specs[name] for name in self._routes if (crew := self.route(name)) is not None}

    def _join(self, worker: WorkerProcess) -> None:
        worker.has_joined = True
        self._on_ready(worker)

    def retire(self, worker: WorkerProcess) -> None:
        """Give a worker no more work; it leaves when its last attempt has ended."""
        if worker.has_joined and not worker.is_retiring:
            self._on_retire(worker)
        worker.is_retiring = True
        crew = self._crews.get(worker)
        if crew is not None and worker in crew.workers:
            crew.workers.remove(worker)
        self.leave_if_done(worker)

    def recycle(self, worker: WorkerProcess) -> None:
        """Replace a worker of the newest crew; what it runs ends where it is."""
        is_newest = worker in self.crew.workers
        self.retire(worker)
        if is_newest and not self._is_stopping:
            self._replace_one()

    def stand_in_for(self, worker: WorkerProcess) -> None:
        """Start a worker for one that is blocked, unless there are very many."""
        crew = self.crew
        if worker in crew.workers and len(crew.workers) + len(self._tasks) < _MOST_TIMES * self._size:
            self._add_one()

    def trim_later(self) -> None:
        """One that was blocked takes work again: after a while there are no more workers than asked for."""
        asyncio.get_running_loop().call_later(_SURPLUS_SECONDS, self._trim)

    def _trim(self) -> None:
        if self._is_stopping:
            return
        serving = self._serving(self.crew)
        for worker in sorted(serving, key=lambda worker: worker.load)[: max(len(serving) - self._size, 0)]:
            self.retire(worker)

    def _serving(self, crew: Crew) -> list[WorkerProcess]:
        return [worker for worker in crew.workers if not worker.is_blocked]

    def leave_if_done(self, worker: WorkerProcess) -> None:
        """Let a retired worker go once it runs nothing."""
        if worker.is_retiring and not worker.assigned:
            worker.leave()

    async def stop(self) -> None:
        """End every worker; kill those that do not go in time."""
        self._is_stopping = True
        for worker in self.processes:
            worker.leave()
        await self._until_gone(_LEAVE_SECONDS)
        for worker in self.processes:
            worker.kill()
        await self._until_gone(None)
        for task in self._tasks:
            task.cancel()

    async def _until_gone(self, seconds: float | None) -> None:
        loop = asyncio.get_running_loop()
        deadline = None if seconds is None else loop.time() + seconds
        while self.processes:
            self._exit.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._exit.wait()
            except TimeoutError:
                return

    async def _start(self) -> WorkerProcess:
        self._count += 1
        worker = WorkerProcess(number=self._count, on_frame=self._frame, on_exit=self._exited)
        await worker.start(self._environment, directory=str(self._project), output=sys.stderr.fileno())
        try:
            self._on_pids([*(other.pid for other in self.processes), worker.pid])
        except OSError:
            worker.kill()  # the next runner would not find it
            raise
        return worker

    async def start_alone(self, crew: Crew) -> WorkerProcess | None:
        """Start a worker beyond the pool, for one execution at a time; None: it died while it loaded."""
        worker = await self._start()
        worker.is_alone = True
        await self._load(worker, crew)
        return worker if worker.is_usable else None

    def _load(self, worker: WorkerProcess, crew: Crew) -> asyncio.Future[dict[int, str]]:
        self._crews[worker] = crew
        loop = asyncio.get_running_loop()
        future: asyncio.Future[dict[int, str]] = loop.create_future()
        self._ready[worker] = future
        deadline = loop.call_later(_LOAD_SECONDS, worker.condemn, f"was killed after {_LOAD_SECONDS:g} s")
        future.add_done_callback(lambda _: deadline.cancel())
        worker.order(crew.load)
        return future

    def _frame(self, worker: WorkerProcess, frame: Any) -> None:
        if type(frame) is Ready:
            worker.is_ready = True
            worker.loaded_bytes = resident_bytes(worker.pid)
            self._deaths_in_a_row = 0
            waiting = self._ready.pop(worker, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(frame.problems)
            return
        self._on_frame(worker, frame)

    def _exited(self, worker: WorkerProcess) -> None:
        self._exit.set()
        crew = self._crews.pop(worker, None)
        for group in (crew.workers if crew else [], self._spares):
            if worker in group:
                group.remove(worker)
        waiting = self._ready.pop(worker, None)
        if waiting is not None and not waiting.done():
            _log.error("a worker %s while it loaded the functions", worker.exit_cause)
            waiting.set_result(dict.fromkeys(crew.numbers.values(), f"the worker {worker.exit_cause}") if crew else {})
        self._on_death(worker)
        if not self._is_stopping and crew is self.crew and not (worker.is_retiring or worker.is_alone):
            self._replace_one()
        try:
            self._on_pids([other.pid for other in self.processes])
        except FileNotFoundError:  # the data folder has gone: the store says so
            pass
        except OSError as error:  # the list still names every worker alive
            _log.error("that a worker has ended could not be noted: %s", error)

    def _replace_one(self) -> None:
        self._deaths_in_a_row += 1
        self._add_one()

    def _add_one(self) -> None:
        task = asyncio.get_running_loop().create_task(self._replace())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _replace(self) -> None:
        """Start another worker for one that died; a crew that cannot start is tried ever more slowly."""
        if self._deaths_in_a_row > 3:
            doublings = min(self._deaths_in_a_row - 3, _MOST_DOUBLINGS)
            await asyncio.sleep(min(_FIRST_PAUSE_SECONDS * 2**doublings, _LONGEST_PAUSE_SECONDS))
        crew = self.crew
        if self._is_stopping or len(self._serving(crew)) >= self._size:
            return
        try:
            worker = self._spares.pop() if self._spares else await self._start()
        except OSError as error:
            _log.error("a worker could not be started, it is tried again: %s", error)
            self._replace_one()
            return
        await self._load(worker, crew)
        if not worker.is_usable:
            return
        if crew is self.crew and not self._is_stopping and len(self._serving(crew)) < self._size:
            crew.workers.append(worker)
            self._join(worker)
        else:
            self.retire(worker)


def default_size() -> int:
    """Return one worker a core that this process may use."""
    return len(os.sched_getaffinity(0))
