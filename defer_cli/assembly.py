"""Builds a runner from its parts, starts it bottom-up, stops it top-down: the only place that knows all of them."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from defer_cli import __version__
from defer_cli.discovery.discover import Discovery, discover_in_thread
from defer_cli.discovery.environment import function_environment
from defer_cli.domain.alert_settings import AlertSettings
from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.errors import StoreError
from defer_cli.domain.execution import to_microseconds
from defer_cli.domain.function import FunctionSpec, Problem
from defer_cli.domain.ids import random_id
from defer_cli.domain.retention import RetentionSettings
from defer_cli.domain.settings import Settings
from defer_cli.engine.alarm import Alarm
from defer_cli.engine.banner import Banner, RunnerListener
from defer_cli.engine.burst import Burst
from defer_cli.engine.crons import Crons
from defer_cli.engine.dispatcher import Dispatcher
from defer_cli.engine.door import Door
from defer_cli.engine.events import Logged
from defer_cli.engine.inbox import InboxImport
from defer_cli.engine.measures import Measures
from defer_cli.engine.memory import MemoryWatch
from defer_cli.engine.pointing import leave_pointer
from defer_cli.engine.polls import Polls
from defer_cli.engine.reload import Reload
from defer_cli.engine.requests import Requests
from defer_cli.engine.rescue import Left, WorkerList, put_right
from defer_cli.engine.retention import Retention
from defer_cli.engine.signals import listen_to_signals
from defer_cli.engine.supervised import Supervised
from defer_cli.engine.upkeep import Upkeep
from defer_cli.engine.vitals import Vitals
from defer_cli.intake import Intake
from defer_cli.link import lock
from defer_cli.link.notify import ServiceManager
from defer_cli.link.project import DataFolder
from defer_cli.link.sockets import listen, raise_descriptor_limit
from defer_cli.reports import Reports
from defer_cli.store.contract import Store
from defer_cli.store.sqlite.reader import open_reader
from defer_cli.store.sqlite.store import open_store
from defer_cli.store.writer import Apply, Writer
from defer_cli.workers.pool import Pool
from defer_cli.workers.process import WorkerProcess

if TYPE_CHECKING:
    from defer_cli.engine.alerting import Alerting
    from defer_cli.web.server import Server
    from defer_cli.web.tokens import Token


class Plan(Struct, frozen=True, kw_only=True):
    """What a runner is to be."""

    project: Path
    folder: Path
    data: DataFolder
    settings: Settings
    alerts: AlertSettings = field(default_factory=AlertSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    is_dev: bool = False
    is_burst: bool = False
    triggers: tuple[str, ...] = ()
    found: Discovery | None = None
    """What discovery found, when whoever made the plan has asked already."""
    manager: ServiceManager | None = None
    """Who has started this process, and wants to hear how it is."""


_REST_SECONDS = 30.0
"""The alarm is told when something is due earlier, so it need not look more often."""
_DAY_SECONDS = 86_400.0
"""A round may take hours; when the next one begins is known."""
EXIT_OK, EXIT_FAILED, EXIT_PROBLEMS, EXIT_STORE = 0, 1, 3, 5


class Runner:
    """One runner's life, from its lock to its exit code."""

    def __init__(self, plan: Plan, listener: RunnerListener) -> None:
        self._plan = plan
        self._listener = listener
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._fatal: BaseException | None = None
        self._left = Left()
        self._functions: dict[str, FunctionSpec] = {}
        self._problems: Sequence[Problem] = ()
        self._api: Server | None = None
        self._alerting: Alerting | None = None
        self._name = f"{socket.gethostname()}-{os.getpid()}"

    async def run(self) -> int:
        """Run until told to stop, or until a burst is done; return the exit code.

        Raises ``StoreError`` when the data folder is not to be had.
        """
        plan = self._plan
        with ExitStack() as stack:
            stack.callback(listen_to_signals(self._stop, self._hurry))
            discovering = asyncio.ensure_future(self._discover())
            stack.callback(discovering.cancel)
            if not plan.is_dev:
                if not await self._unless_stopped(discovering):
                    return EXIT_OK
                self._show_problems(discovering.result().problems)
                if discovering.result().has_breach:
                    return EXIT_PROBLEMS
            raise_descriptor_limit()
            ends, token = self._bind(stack)
            plan.data.require()
            stack.enter_context(lock.own(Path(plan.data.lock), "runner"))
            self._build(await asyncio.to_thread(self._open_store), is_served=bool(ends))
            if ends:
                self._serve(ends, token)
            try:
                starting = asyncio.ensure_future(self._start(discovering))
                if await self._unless_stopped(starting):
                    await self._live()
            finally:
                code = await self._end()
            return code

    async def _discover(self) -> Discovery:
        plan = self._plan
        return await discover_in_thread(plan.project, plan.folder) if plan.found is None else plan.found

    async def _unless_stopped(self, work: asyncio.Future[Any]) -> bool:
        """Wait for ``work``; when the runner is told to stop before it is done, cancel it and return False."""
        stopping = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait([work, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not work.done():
            work.cancel()
            await asyncio.wait([work])
            return False
        work.result()
        return True

    # Building.

    def _bind(self, stack: ExitStack) -> tuple[list[socket.socket], Token | None]:
        """Take the port, and read the token, before anything else is touched; a burst serves nobody."""
        plan = self._plan
        if plan.settings.port is None or plan.is_burst:
            return [], None
        from defer_cli.serving import take_port

        ends, token = take_port(
            plan.settings,
            may_take_another=plan.is_dev,
            warn=lambda text: self._listener.tell(Logged("warning", text)),
        )
        for end in ends:
            stack.enter_context(end)
        return ends, token

    def _serve(self, ends: list[socket.socket], token: Token | None) -> None:
        from defer_cli.serving import build_server
        from defer_cli.web.backend import Backend

        self._backend = Backend(
            ask=self._requests.answer,
            insert=self._intake.insert,
            endings=self._polls.ends,
            functions=lambda: self._functions,
            clock=self._store.now,
            why_not_healthy=lambda: "the runner is stopping" if self._stop.is_set() else self._vitals.why_refused,
            vitals=self._vitals,
            project=self._plan.project.resolve().name,
            problems=lambda: self._problems,
        )
        self._api = build_server(ends, self._backend, self._plan.settings, token)

    def _open_store(self) -> Store:
        """Open the store, and take back what a dead runner left once none of its workers lives."""
        plan = self._plan
        self._worker_list = WorkerList(Path(plan.data.path) / "workers")
        self._worker_list.end_survivors()
        store = open_store(Path(plan.data.database), has_ballast=True)
        if not store.stopped_cleanly():
            store.quick_check()
        self._left = put_right(store)
        with store.transaction():
            store.start_runner(name=self._name, pid=os.getpid(), version=__version__)
        return store

    def _build(self, store: Store, *, is_served: bool) -> None:
        plan, settings = self._plan, self._plan.settings
        self._store = store
        measures = Measures(self._listener)
        listener = measures if is_served else self._listener  # else nobody could ask for what was counted
        self._dispatcher = Dispatcher(
            slots=settings.slots, has_suspects=self._left.has_suspects, listener=listener, clock=store.now
        )
        self._writer = Writer(
            store,
            runner=self._name,
            on_claim=self._dispatcher.claimed,
            on_applied=self._dispatcher.applied,
            on_fatal=self._broke,
            apply=self._build_alerting(store) or (lambda store, moves: store.apply(moves)),
            ahead=self._dispatcher,
        )
        self._pool = Pool(
            size=settings.workers,
            project=plan.project,
            folder=plan.folder,
            environment=function_environment(plan.project, os.environ)
            | {"DEFER_DATA": plan.data.path, "PYTHONUNBUFFERED": "1"},
            on_frame=self._worker_frame,
            on_ready=self._dispatcher.worker_ready,
            on_retire=self._dispatcher.worker_retired,
            on_death=self._dispatcher.worker_died,
            on_pids=self._worker_list.write,
        )
        self._dispatcher.attach(self._writer, self._pool)
        self._memory = MemoryWatch(self._pool, listener, worker_memory=settings.worker_memory)
        self._reports = Reports(lambda: open_reader(Path(plan.data.database)), wait_for_disk=store.wait_for_disk)
        self._intake = Intake(self._writer)
        self._inbox = InboxImport(plan.data, self._intake.insert, self._listener)
        if self._alerting is not None:
            self._alerting.attach(self._writer, self._reports)
        telling = self._alerting or self._listener
        self._crons = Crons(self._writer, telling, clock=store.now, catches_up=not plan.is_dev)
        self._requests = Requests(
            self._intake, self._dispatcher, self._reports, take_in=self._inbox.run, heed_pauses=self._crons.heed_pauses
        )
        self._polls = Polls(self._dispatcher, take_in=self._inbox.run)
        self._vitals = Vitals(
            self._name, plan.data.database, self._pool, self._writer, self._crons, measures, slots=settings.slots
        )
        if self._alerting is not None:
            self._vitals.alerts = self._alerting.counts
        self._burst = Burst(
            self._dispatcher, self._inbox, self._reports, functions=lambda: self._functions, clock=store.now
        )
        self._upkeep = Upkeep(self._writer, self._dispatcher, self._listener)
        self._retention = Retention(
            plan.retention, self._writer, self._dispatcher, self._reports, self._listener, clock=store.now
        )
        self._vitals.retention = self._retention
        self._alarm = Alarm(store.now, on_step=self._upkeep.clock_was_set)
        self._door = Door(listen(plan.data.socket), self._requests, self._dispatcher.waiting)
        self._reload = Reload(plan.project, plan.folder, self._pool, telling, self._exchanged, self._show_problems)
        self._supervised = Supervised(
            plan.manager, self._writer, self._vitals, self._reports, functions=lambda: self._functions
        )
        self._writer.start()

    def _build_alerting(self, store: Store) -> Apply | None:
        """Build what tells people, where they are to be told; it records in the transaction of each outcome."""
        plan = self._plan
        if not plan.alerts.has_channel:
            return None
        from defer_cli.engine.alerting import Alerting

        project = plan.project.resolve().name
        self._alerting = Alerting(plan.alerts, store, self._listener, project=project, mask=plan.settings.mask)
        return self._alerting.apply

    async def _start(self, discovering: asyncio.Future[Discovery]) -> None:
        plan = self._plan
        await self._door.open()
        await self._pool.warm_up()
        # while workers start: the first executions would wait for it
        found, _ = await asyncio.gather(discovering, asyncio.to_thread(self._alarm.load))
        if plan.is_dev:
            self._show_problems(found.problems)
        for note in self._left.notes():
            self._listener.tell(note)
        leave_pointer(plan.project, plan.data, self._listener)
        await self._inbox.run()
        self._add_alarms()
        await self._reload.begin(found)
        if self._left.guilty is not None:
            self._dispatcher.charge(self._left.guilty)
        for name in plan.triggers:
            await self._trigger(name)
        self._alarm.start()
        if self._api is not None:
            await self._api.start()
        if self._alerting is not None:
            self._alerting.start(None if self._api is None else self._api.url)
        self._listener.ready(self._banner(found))
        self._supervised.ready()
        gc.freeze()  # what is here stays: a collection need not look at it again

    def _add_alarms(self) -> None:
        dispatcher, alarm = self._dispatcher, self._alarm
        alarm.add("due", dispatcher.next_wake_us, dispatcher.wake, at_most_seconds=_REST_SECONDS)
        dispatcher.on_next_due = lambda: alarm.hurry("due")
        alarm.add("upkeep", self._upkeep.next_us, self._once_a_second)
        if not self._plan.is_burst:
            alarm.add("crons", self._crons.next_us, self._crons.fire_due)
            alarm.add("retention", self._retention.next_us, self._retention.run, at_most_seconds=_DAY_SECONDS)

    async def _once_a_second(self) -> None:
        await self._inbox.run()
        await self._upkeep.run()

    def _show_problems(self, problems: Sequence[Problem]) -> None:
        self._problems = problems
        self._listener.problems(problems)

    async def _exchanged(self, functions: Mapping[str, FunctionSpec]) -> None:
        """The workers run these functions from now on."""
        self._functions = dict(functions)
        self._listener.functions(functions)
        if self._alerting is not None:
            self._alerting.set_functions(functions)
        self._dispatcher.set_functions(functions)
        self._memory.set_functions(functions)
        if not self._plan.is_burst:
            await self._crons.set_functions(functions.values())
            self._alarm.hurry("crons")

    async def _trigger(self, name: str) -> None:
        now = self._store.now()
        call = Enqueue(id=random_id(), function=name, arguments=b"[]", called_us=now)
        await self._intake.enqueue_one(call)

    def _worker_frame(self, worker: WorkerProcess, frame: Any) -> None:
        self._dispatcher.take(worker, frame) or self._requests.take(frame, worker)

    def _banner(self, found: Discovery) -> Banner:
        upcoming = self._crons.upcoming() if not self._plan.is_burst else []
        return Banner(
            version=__version__,
            store=Path(self._plan.data.database),
            workers=self._plan.settings.workers,
            slots=self._plan.settings.slots,
            functions=len(self._functions),
            problems=sum(not problem.is_warning for problem in found.problems),
            next_cron=(upcoming[0][0], to_microseconds(upcoming[0][1])) if upcoming else None,
            pid=os.getpid(),
            url=self._api.url if self._api is not None else None,
        )

    # Living.

    async def _live(self) -> None:
        tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._stop.wait())]
        if self._plan.is_dev:
            tasks.append(asyncio.ensure_future(self._reload.watch()))
        if self._plan.is_burst:
            tasks.append(asyncio.ensure_future(self._burst.until_done()))
        done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        for task in done:
            task.result()

    # The end.

    async def _end(self) -> int:
        self._supervised.stopping()
        await self._alarm.stop()
        await self._dispatcher.drain(self._plan.settings.grace, hurry=self._hurry)
        await self._door.close()
        if self._api is not None:
            await self._backend.streams.close()
            self._polls.close()
            await self._api.stop(hurry=self._hurry)
        self._memory.stop()
        await self._pool.stop()
        self._supervised.end()
        if self._alerting is not None:
            await self._alerting.stop(hurry=self._hurry)
        code = EXIT_OK
        if self._plan.is_burst:
            code = EXIT_FAILED if await self._burst.has_failed() else EXIT_OK
        if self._fatal is None:
            await self._writer.submit(lambda store: store.stop_runner(name=self._name))
        self._reports.close()
        await self._writer.stop()
        if self._fatal is not None:
            raise self._fatal
        return code

    def _broke(self, error: BaseException) -> None:
        self._fatal = error if isinstance(error, StoreError) else StoreError(str(error))
        self._stop.set()
        self._hurry.set()
