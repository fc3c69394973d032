"""A worker process: loads the functions once, then runs many attempts on one event loop."""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from defer_cli.client.context import scope_here
from defer_cli.client.marking import mark_records
from defer_cli.client.routes import set_worker_route
from defer_cli.discovery.importing import import_function
from defer_cli.discovery.importing import prepare as prepare_imports
from defer_cli.link.frames import PROTOCOL, Cancel, Hello, Load, Ready, Retract, Stands, Start, StartItem
from defer_cli.workers import logs
from defer_cli.workers.attempts import Attempts
from defer_cli.workers.errors import describe
from defer_cli.workers.holding import Held
from defer_cli.workers.marks import Marker, Marks
from defer_cli.workers.orders import Orders
from defer_cli.workers.pipe import Pipe, leave_now

_PR_SET_PDEATHSIG = 1  # man 2 prctl
_TURN_SECONDS = 0.0001
"""So long the loop may keep the interpreter while the pipe's thread waits for it. With Python's 5 ms a function that
computes in slices of less than that, awaiting between them, would let it wait for hundreds: who gives the interpreter
back for a moment starts the wait anew, and takes it again before the other is awake."""


def main() -> None:
    """Run a worker until the runner closes its pipe; the descriptors of its marks, pipe and orders are given."""
    marks_descriptor, pipe_descriptor, orders_descriptor, runner_pid = map(int, sys.argv[1:])
    die_with_runner(runner_pid)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    sys.setswitchinterval(_TURN_SECONDS)
    marks = Marks(marks_descriptor)
    marks.write_stack_when_asked()
    pipe, orders = (socket.socket(fileno=descriptor) for descriptor in (pipe_descriptor, orders_descriptor))
    pipe.set_inheritable(False)
    orders.set_inheritable(False)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    _serve(loop, pipe, orders, marks)
    while True:
        with suppress(SystemExit, KeyboardInterrupt):  # one that a task of the user's raises would end the neighbours
            loop.run_forever()


def die_with_runner(runner_pid: int) -> None:
    """Have the kernel kill this process when its runner ends, also when it was killed itself."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != runner_pid:  # it ended before the line above
        os._exit(0)


def _serve(loop: asyncio.AbstractEventLoop, end: socket.socket, orders: socket.socket, marks: Marks) -> None:
    logs.catch_output()
    mark_records(scope_here)
    pipe = Pipe(end, leave_now)
    set_worker_route(pipe)
    Orders(orders, loop, Worker(loop, pipe, marks.marker()).take)
    pipe.send(Hello(PROTOCOL, os.getpid()))


class Worker:
    """Does on the loop what the runner orders."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pipe: Pipe, mark: Marker) -> None:
        self._loop = loop
        self._pipe = pipe
        self._mark = mark
        self._held = Held(self._begin)
        self._attempts: Attempts

    def take(self, frames: Sequence[Any]) -> None:
        """Do what frames say."""
        for frame in frames:
            kind = type(frame)
            if kind is Start:
                self._held.take(frame)
            elif kind is Stands:
                self._held.release(frame.commit)
            elif kind is Retract:
                self._held.forget(frame.commit)
            elif kind is Cancel:
                self._attempts.cancel(frame.items)
            elif kind is Load:
                self._load(frame)

    def _begin(self, items: Sequence[StartItem]) -> None:
        self._attempts.start(items)

    def _load(self, frame: Load) -> None:
        prepare_imports(Path(frame.project), Path(frame.folder))
        functions: dict[int, Callable[..., Any]] = {}
        problems: dict[int, str] = {}
        for wanted in frame.functions:
            try:
                functions[wanted.number] = import_function(wanted.module, wanted.file, wanted.name)
            except BaseException as error:  # a sys.exit() in one file must not end the worker
                described = describe(error, project=frame.project)
                problems[wanted.number] = f"{described.type}: {described.message}"
        logs.catch_logging()
        names = {wanted.number: wanted.name for wanted in frame.functions}
        self._attempts = Attempts(self._loop, self._pipe, functions, names, project=frame.project, mark=self._mark)
        gc.collect()
        gc.freeze()  # what was imported stays: a collection need not look at it again
        self._pipe.send(Ready(os.getpid(), problems))
