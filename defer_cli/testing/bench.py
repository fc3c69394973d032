"""Where functions run while a sandbox is drained: the loop of the test, and a worker without a process on it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from defer_cli.client.context import current_scope
from defer_cli.link.frames import Cancel, CancelItem, FrameError, Start
from defer_cli.testing.output import caught_output
from defer_cli.workers.attempts import Attempts
from defer_cli.workers.errors import describe
from defer_cli.workers.process import WorkerProcess


class Bench:
    """Runs attempts on the running loop; what they report goes to ``report``.

    ``raised`` keeps what they raised last, by the id of the execution. A Ctrl-C in one of them is kept too: ``on_stop``
    is called, and whoever opened the bench raises it.
    """

    def __init__(
        self,
        functions: dict[int, Callable[..., Any]],
        names: dict[int, str],
        *,
        project: Path,
        report: Callable[[Struct], None],
        on_stop: Callable[[], None],
    ) -> None:
        self._functions = functions
        self._names = names
        self._project = str(project)
        self._report = report
        self._on_stop = on_stop
        self.raised: dict[str, BaseException] = {}
        self._loop = asyncio.get_running_loop()
        self._attempts: Attempts

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Take attempts for the time of the block; the loop is as it was after it."""
        factory = self._loop.get_task_factory()
        self._attempts = Attempts(
            self._loop, self, self._functions, self._names, project=self._project, describe=self._describe
        )
        try:
            with caught_output():
                yield
        finally:
            self._loop.set_task_factory(factory)

    def send(self, message: Struct) -> None:
        """Report to the runner."""
        self._report(message)

    def post(self, message: Struct) -> None:
        """Take a frame of the runner, from its thread."""
        with suppress(RuntimeError):  # the loop of the test has closed, and the attempts with it
            self._loop.call_soon_threadsafe(self._take, message)

    @property
    def interrupt(self) -> KeyboardInterrupt | None:
        """The Ctrl-C that came while a function held the loop."""
        return next((error for error in self.raised.values() if isinstance(error, KeyboardInterrupt)), None)

    def _describe(self, error: BaseException, **options: Any) -> FrameError:
        scope = current_scope.get()
        if scope is not None:
            self.raised[scope.id] = error
        if isinstance(error, KeyboardInterrupt):
            self._on_stop()
        return describe(error, **options)

    def _take(self, message: Struct) -> None:
        if isinstance(message, Start):
            self._attempts.start(message.items)
        elif isinstance(message, Cancel):
            self._attempts.cancel(message.items)


class BenchWorker(WorkerProcess):
    """A bench as the dispatcher sees it: as good as a process, but nothing in it can be killed."""

    def __init__(
        self, bench: Bench, *, reply: Callable[[Struct], None], on_exit: Callable[[WorkerProcess], None]
    ) -> None:
        super().__init__(number=1, on_frame=lambda worker, frame: None, on_exit=on_exit)
        self.is_ready = self.has_joined = True
        self._bench = bench
        self._reply = reply

    @property
    def pid(self) -> int:
        return os.getpid()

    def order(self, message: Struct) -> None:
        self._bench.post(message)

    def send(self, message: Struct) -> None:
        self._reply(message)

    def send_from_thread(self, message: Struct) -> None:
        self.send(message)

    def cancel_all(self) -> None:
        """Ask everything that runs to end."""
        running = [assigned.running for assigned in self.assigned.values()]
        self.order(Cancel([CancelItem(one.seq, one.attempt) for one in running]))

    def kill(self) -> None:
        self.cancel_all()
        self._on_exit(self)
