"""One worker seen from the runner: its process, its pipe, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any

from msgspec import Struct

from defer_cli.domain.errors import DeferError
from defer_cli.domain.function import FunctionSpec
from defer_cli.domain.settle import Reason, Running
from defer_cli.domain.size import size_in_words
from defer_cli.link.frames import FrameReader, FromWorker, Start, StartItem, encode_frame
from defer_cli.link.outbox import Outbox
from defer_cli.link.python import python_running
from defer_cli.link.reading import READ_BYTES, Reading
from defer_cli.workers.cutting import cuts
from defer_cli.workers.marks import Marks

_BYTES_OF_A_HASH = 24
_SIGNAL_WORDS = {
    signal.SIGKILL: "was killed by signal 9, probably out of memory",
    signal.SIGSEGV: "died of a segmentation fault",
}


class Assigned(Struct, eq=False):
    """An attempt in a worker, and why the runner ended it, if it did."""

    running: Running
    spec: FunctionSpec
    process: WorkerProcess
    span: float
    deadline: float
    reason: Reason | None = None
    is_waiting: bool = False

    @property
    def is_ending(self) -> bool:
        """Whether it was asked to end before it would."""
        return self.reason is not None or self.running.is_aborting

    @property
    def only_waits(self) -> bool:
        """Whether it goes on when what it waits for has ended, and not before."""
        return self.is_waiting and not self.is_ending


class WorkerProcess(Reading):
    """A process in its own group that runs many attempts; ``on_frame`` and ``on_exit`` are called on the loop."""

    def __init__(
        self,
        *,
        number: int,
        on_frame: Callable[[WorkerProcess, Any], None],
        on_exit: Callable[[WorkerProcess], None],
    ) -> None:
        self.number = number
        self.assigned: dict[int, Assigned] = {}
        self.is_ready = False
        self.has_joined = False
        """Whether its slots have been given to the claim."""
        self.is_retiring = False
        self.is_blocked = False
        """Whether one attempt holds up its loop, so that nothing else in it goes on."""
        self.is_condemned = False
        """Whether the runner ended it because of one attempt: the others in it are not to blame."""
        self.exit_cause = ""
        self.is_alone = False
        """Whether it is beyond the pool, for one execution at a time."""
        self.loaded_bytes = 0
        """How much memory it took when it had loaded the functions."""
        self.begun = 0
        """How many attempts have begun in it."""
        self.waiting = 0
        self.directory = ""
        """Where it runs: the project."""
        self.marks: Marks | None = None
        """What its loop is busy with; None before it starts and after its end."""
        self._on_frame = on_frame
        self._on_exit = on_exit
        self._reader = FrameReader(FromWorker)
        self._transport: asyncio.Transport | None = None
        self._popen: subprocess.Popen[bytes] | None = None
        self._pidfd = -1
        self._socket: socket.socket | None = None
        self._orders: Outbox
        self._has_ended = False
        self._loop = asyncio.get_running_loop()

    async def start(self, environment: Mapping[str, str], *, directory: str, output: int) -> None:
        """Start the process; it says nothing before it is told what to load."""
        self.directory = directory
        with ExitStack() as undo:
            self._socket, theirs = _pair()
            undo.callback(self._socket.close)
            ours, their_orders = _pair()
            with ours:
                self._orders = Outbox(ours, self._loop)
            undo.callback(self._orders.close)
            self.marks = Marks.make()
            undo.callback(self._forget_marks)
            self._spawn(theirs, their_orders, environment, output)
            undo.callback(self._end_now)
            self._pidfd = os.pidfd_open(self.pid)
            undo.callback(os.close, self._pidfd)
            # asyncio closes its own socket when a write fails, and what waits to be read must outlive that
            await self._loop.create_connection(lambda: self, sock=self._socket.dup())
            undo.pop_all()
        self._loop.add_reader(self._pidfd, self._ended)  # last: its end is told to a caller that knows it

    def _spawn(
        self, theirs: socket.socket, their_orders: socket.socket, environment: Mapping[str, str], output: int
    ) -> None:
        assert self.marks is not None
        with theirs, their_orders:
            descriptors = (self.marks.descriptor, theirs.fileno(), their_orders.fileno())
            self._popen = subprocess.Popen(
                [*python_running("defer_cli.workers.child"), *map(str, (*descriptors, os.getpid()))],
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environment),
                cwd=self.directory,
                start_new_session=True,
            )

    def _end_now(self) -> None:
        assert self._popen is not None
        self.kill()
        self._popen.wait()

    @property
    def pid(self) -> int:
        """The process id, also the id of its group."""
        assert self._popen is not None
        return self._popen.pid

    @property
    def load(self) -> int:
        """How many places it has in use: executions that wait for others do not count."""
        return len(self.assigned) - self.waiting

    @property
    def is_usable(self) -> bool:
        """Whether it has loaded the functions and still lives."""
        return self.is_ready and not self._has_ended

    @property
    def takes_work(self) -> bool:
        """Whether its free slots are there for the claim."""
        return self.has_joined and not (self.is_retiring or self.is_blocked)

    def begin(self, items: Sequence[StartItem], commit: int = 0) -> None:
        """Have it run attempts, in as many frames as they need, once ``commit`` stands; 0: it does."""
        self.begun += len(items)
        for start, end in cuts([_size(item) for item in items]):
            self.order(Start(list(items[start:end]), commit))

    def order(self, message: Struct) -> None:
        """Send a frame for its loop, which gets them in order; any thread may call. One that has gone gets nothing."""
        self._orders.send(encode_frame(message))

    def send(self, message: Struct) -> None:
        """Send a reply, which its loop need not read; a worker that has gone gets nothing."""
        if self._transport is not None and not self._has_ended:
            self._transport.write(encode_frame(message))

    def send_from_thread(self, message: Struct) -> None:
        """Send a reply from any thread."""
        with suppress(RuntimeError):  # the loop has closed: the worker is gone, or goes
            self._loop.call_soon_threadsafe(self.send, message)

    def leave(self) -> None:
        """Ask the process to go: it ends when its pipe does."""
        if self._transport is not None:
            self._transport.close()

    def condemn(self, cause: str) -> None:
        """Kill the process because of one attempt in it."""
        self.is_condemned = True
        self.exit_cause = cause
        self.kill()

    def kill(self) -> None:
        """Kill the process and its group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, error: Exception | None) -> None:
        assert self._socket is not None
        with suppress(OSError):  # it shares its end with the socket of asyncio: closing one tells the worker nothing
            self._socket.shutdown(socket.SHUT_RDWR)

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._reader.feed(data)
        except DeferError:
            self.exit_cause = "it sent a frame that could not be read"
            self.kill()
            return
        for frame in frames:
            self._on_frame(self, frame)

    def _ended(self) -> None:
        """The process has ended: what it had still sent counts first."""
        if self._has_ended:
            return
        assert self._popen is not None
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        code, peak_bytes = self._wait()
        self._drain()
        self._has_ended = True
        self._forget_marks()
        self._orders.close()
        with suppress(ProcessLookupError, PermissionError):  # what it had forked goes with it
            os.killpg(self.pid, signal.SIGKILL)
        self.exit_cause = self.exit_cause or exit_cause(code, peak_bytes)
        if self._transport is not None:
            self._transport.abort()
        self._on_exit(self)

    def _wait(self) -> tuple[int, int]:
        """Return its exit code, and the most memory it has taken, in bytes."""
        assert self._popen is not None
        try:
            _, status, usage = os.wait4(self.pid, 0)
        except ChildProcessError:  # somebody else has waited for it
            return self._popen.wait(), 0
        self._popen.returncode = os.waitstatus_to_exitcode(status)
        return self._popen.returncode, usage.ru_maxrss * 1024

    def _forget_marks(self) -> None:
        marks, self.marks = self.marks, None
        if marks is not None:
            marks.close()

    def _drain(self) -> None:
        assert self._socket is not None
        with self._socket, suppress(OSError):
            while data := self._socket.recv(READ_BYTES):
                self.data_received(data)


def _pair() -> tuple[socket.socket, socket.socket]:
    """Return two ends of a way that never blocks who is at the first, and that takes much."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    return ours, theirs


def _size(item: StartItem) -> int:
    marked = len(item.marked) * _BYTES_OF_A_HASH if item.marked else 0
    return len(item.arguments or b"") + len(item.metadata or b"") + len(item.trace or "") + marked


def exit_cause(code: int, peak_bytes: int = 0) -> str:
    """Return in words how a process with this exit code ended, that had taken ``peak_bytes`` of memory at most."""
    if code >= 0:
        return f"exited with code {code}"
    number = -code
    try:
        named = signal.Signals(number)
    except ValueError:
        return f"was killed by signal {number}"
    words = _SIGNAL_WORDS.get(named, f"was killed by signal {number} ({named.name})")
    return f"{words}; it took up to {size_in_words(peak_bytes)}" if named is signal.SIGKILL and peak_bytes else words
