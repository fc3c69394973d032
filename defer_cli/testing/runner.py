"""The runner of a sandbox: the parts of a real one on a thread of their own, with the test's loop as its worker."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from msgspec import Struct

from defer_cli.definitions import Definition
from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.errors import DeferError, NoRunner
from defer_cli.domain.settle import Move
from defer_cli.engine.dispatcher import Dispatcher
from defer_cli.engine.events import Event
from defer_cli.engine.requests import Caller, Requests
from defer_cli.intake import Intake
from defer_cli.link.frames import Ended, Failure, Logs, Unwait, Wait
from defer_cli.reports import Reports
from defer_cli.store.sqlite.reader import open_reader
from defer_cli.store.sqlite.store import open_store
from defer_cli.store.writer import Writer
from defer_cli.testing.bench import Bench
from defer_cli.testing.clock import Clock
from defer_cli.testing.drained import Tally
from defer_cli.testing.functions import Functions
from defer_cli.testing.lanes import Link
from defer_cli.testing.work import Work
from defer_cli.workers.pool import Pool

T = TypeVar("T")

SLOTS = 100


class _Outside:
    """Who asks without being a function that runs: the test, and the application in it."""

    def __init__(self, reply: Callable[[Struct], None]) -> None:
        self._reply = reply

    def send(self, message: Struct) -> None:
        self._reply(message)

    def send_from_thread(self, message: Struct) -> None:
        self._reply(message)


class SandboxRunner:
    """Lives from ``start`` to ``stop``.

    ``on_lonely_wait`` is called when somebody outside waits for an execution's end while nobody drains the sandbox.
    """

    def __init__(self, project: Path, clock: Clock) -> None:
        self._project = project
        self._clock = clock
        self.on_lonely_wait: Callable[[], None] = lambda: None
        self._work: Work | None = None
        self._waits: dict[int, tuple[Caller, str]] = {}
        self._outside = _Outside(self._reply)
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="defer-sandbox", daemon=True)
        self._database: Path
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self.functions = Functions(project)
        self.link = Link(self._receive)

    # Any other thread.

    def start(self, database: Path) -> None:
        """Open the store and begin to answer."""
        self._database = database
        self._thread.start()
        self._ready.result()

    def stop(self) -> None:
        """Close the store; who still waits for something is told so."""
        self.link.lost(NoRunner("the sandbox is closed", mend="wait for it before the test ends"))
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def learn(self, names: Collection[str], file: str) -> None:
        """Know the functions called ``names`` that are defined in ``file``; raises ``CallRefused``."""
        self._know(self.functions.look_up(names, file))

    def learn_one(self, definition: Definition) -> None:
        """Know a function; raises ``CallRefused``."""
        self._know(self.functions.look_up_one(definition))

    def run_now(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what ``work`` comes to on the runner's loop, after all that was reported before."""
        return self._submitted(work).result()

    def bench(self) -> Bench:
        """Return a place on the running loop where functions run."""
        functions = self.functions
        return Bench(functions.by_number, functions.names, project=self._project, report=self._report, on_stop=self.cut)

    def begin(self, bench: Bench) -> Future[Tally]:
        """Have ``bench`` run what is queued; the future is done when nothing is left that could run."""
        return self._submitted(self._run_on(bench))

    def cut(self) -> None:
        """Interrupt what runs."""
        self._tell(self._cut)

    def look(self) -> None:
        """See that the clock has moved."""
        self._tell(self._look)

    def _submitted(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        if self._thread.is_alive():
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        raise DeferError("the sandbox is not open", mend="use it inside `with Sandbox() as sandbox:`")

    def _know(self, found: Sequence[Definition]) -> None:
        for definition in found:
            self._tell(self._add, definition)

    def _receive(self, message: Struct) -> None:
        self._tell(self._take, message)

    def _report(self, message: Struct) -> None:
        self._tell(self._take_report, message)

    def _tell(self, do: Callable[..., object], *arguments: object) -> None:
        with suppress(RuntimeError):  # it has stopped, and its loop is closed
            self._loop.call_soon_threadsafe(do, *arguments)

    # The runner's own thread.

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            self._build()
        except BaseException as error:
            self._ready.set_exception(error)
            return
        self._ready.set_result(None)
        await self._stop.wait()
        self._reports.close()
        await self._writer.stop()

    def _build(self) -> None:
        store = open_store(self._database, clock=self._clock.now_us, is_lasting=False)
        self._dispatcher = dispatcher = Dispatcher(slots=SLOTS, listener=self, clock=store.now)
        self._writer = Writer(
            store,
            runner="sandbox",
            on_claim=dispatcher.claimed,
            on_applied=dispatcher.applied,
            on_fatal=lambda error: None,  # whatever is asked from then on is answered with it
        )
        dispatcher.attach(self._writer, cast("Pool", self.functions))  # it asks no more of a pool than they have
        self._reports = Reports(lambda: open_reader(self._database))
        self._intake = Intake(self._writer)
        self._requests = Requests(self._intake, dispatcher, self._reports)
        self._writer.start()

    async def enqueue(self, call: Enqueue) -> None:
        """Store a call; raise ``CallRefused`` when it is not accepted."""
        await self._intake.enqueue_one(call)

    async def answer(self, name: str, **parameters: Any) -> Any:
        """Answer a question of ``reports`` once all that was printed is in the store."""
        await self._writer.submit(lambda store: None)
        while self._writer.has_logs:
            await self._writer.submit(lambda store: None)
        return await self._requests.answer(name, parameters)

    async def _run_on(self, bench: Bench) -> Tally:
        self._work = Work(bench, self._reply, self._dispatcher, self.functions, self._clock)
        try:
            return await self._work.run(self._reports)
        finally:
            self._work = None
            for caller, id in list(self._waits.values()):  # the drain was cut short
                if caller is self._outside:
                    self._look_after(id)

    def settled(self, moves: Sequence[Move]) -> None:
        """Attempts have ended."""
        if self._work is not None:
            self._work.tally.settled(moves)
            self._work.look()

    def tell(self, event: Event) -> None:
        """Something else has happened."""
        if self._work is not None:
            self._work.tally.tell(event)

    def _add(self, definition: Definition) -> None:
        self.functions.add(definition)
        self._dispatcher.set_functions(self.functions.specs)

    def _cut(self) -> None:
        if self._work is not None:
            self._work.cut()

    def _look(self) -> None:
        if self._work is not None:
            self._work.look()

    def _take(self, message: Struct) -> None:
        """Take a request of a function that runs, or of somebody outside."""
        work = self._work
        caller: Caller = self._outside
        if isinstance(message, Wait):
            if message.waiter_seq and work is not None:
                caller = work.worker
            self._waits[message.number] = caller, message.id
        elif isinstance(message, Unwait) and message.number in self._waits:
            caller, _ = self._waits.pop(message.number)
        self._requests.take(message, caller)
        if work is not None:
            work.look()
        elif isinstance(message, Wait):
            self._writer.submit(lambda store: None).add_done_callback(lambda done: self._look_after(message.id))

    def _look_after(self, id: str) -> None:
        """Somebody outside has begun to wait for an execution: see that it is run, unless it has ended before."""
        if self._work is None and self._dispatcher.waiting.is_awaited(id):
            self.on_lonely_wait()

    def _take_report(self, message: Struct) -> None:
        work = self._work
        if work is not None:
            self._dispatcher.take(work.worker, message)
            work.look()
        elif isinstance(message, Logs):  # of what goes on in a thread after its attempt has ended
            self._writer.write_logs(message.chunks)

    def _reply(self, message: Struct) -> None:
        if isinstance(message, Ended | Failure):
            self._waits.pop(message.number, None)
        if isinstance(message, Ended) and self._work is not None:
            self._work.tally.heard.add(message.id)
        self.link.deliver(message)  # type: ignore[arg-type]  # replies only
