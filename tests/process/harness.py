"""A project in a folder, the real `defer run` on it, and a caller at its socket."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from msgspec import Struct

from defer_cli.domain.enqueue import Enqueue, Refused, Stored
from defer_cli.domain.execution import Attempt, Execution
from defer_cli.domain.ids import random_id
from defer_cli.domain.states import State
from defer_cli.link.frames import (
    PROTOCOL,
    Answer,
    Ask,
    Ended,
    Enqueued,
    Enqueues,
    Failure,
    FrameReader,
    FromRunner,
    Hello,
    Wait,
    encode_frame,
)
from defer_cli.link.sockets import connect
from defer_cli.store.contract import Reader
from defer_cli.store.sqlite import open_reader
from tests.store.harness import newest

DEADLINE_SECONDS = 30.0
_PAUSE_SECONDS = 0.005
_LONGEST_PAUSE_SECONDS = 0.1
FAST = "retry={'max_attempts': 2, 'initial_interval': 0.05, 'randomization_factor': 0}"
"""An option for functions under test: two retries, 50 and 75 ms apart."""


def until(is_so: Callable[[], Any], what: str, *, seconds: float = DEADLINE_SECONDS) -> None:
    """Return once ``is_so``; fail when it is not so in time. What takes long is looked at less often."""
    began = time.monotonic()
    while not is_so():
        waited = time.monotonic() - began
        if waited > seconds:
            raise TimeoutError(f"it did not come to be within {seconds:g} s: {what}")
        time.sleep(min(max(_PAUSE_SECONDS, waited / 20), _LONGEST_PAUSE_SECONDS))


class Project:
    """A folder with functions; they share a folder of notes with the test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "src" / "defer"
        self.data = root / ".defer"
        self.notes = root / "notes"
        self.folder.mkdir(parents=True)
        self.notes.mkdir()
        (self.folder / "__init__.py").touch()
        (root / "src" / "notes.py").write_text(_NOTES.format(folder=repr(str(self.notes))))
        self.processes: list[subprocess.Popen[str]] = []
        self.runner_environment: dict[str, str] = {}
        """What runners find in theirs, and applications do not."""

    def write(self, **functions: str) -> None:
        """Write functions by name; what they need of the library, of Python and of the notes is imported."""
        for name, source in functions.items():
            (self.folder / f"{name}.py").write_text(_HEAD + textwrap.dedent(source))

    def note(self, name: str, text: str = "") -> None:
        """Leave a note for the functions."""
        (self.notes / name).write_text(text)

    def noted(self, name: str) -> list[str]:
        """Return the lines of a note, in the order they were written."""
        path = self.notes / name
        return path.read_text().split("\n")[:-1] if path.exists() else []

    def until_noted(self, name: str, count: int = 1) -> list[str]:
        until(lambda: len(self.noted(name)) >= count, f"{count} lines of {name}")
        return self.noted(name)

    @contextmanager
    def run(self, *options: str, data: Path | None = None) -> Iterator[Runner]:
        """Run the runner for the block, from its ready line on; it is killed at the end if it still lives."""
        runner = self.start(*options, data=data)
        try:
            runner.until_line("runner ready")
            yield runner
        finally:
            runner.kill()

    def start(self, *options: str, data: Path | None = None) -> Runner:
        """Start the runner."""
        where = ["--data", str(data)] if data else []
        command = self._command("run", "--port", "off", *where, *options)
        process = self._start(command, environment=self.runner_environment)
        return Runner(process, data or self.data)

    def burst(self, *options: str) -> Runner:
        """Run a burst to its end."""
        runner = self.start("--burst", *options)
        runner.wait()
        return runner

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `defer` with these arguments."""
        return self._start(self._command(*arguments))

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "defer_cli", *arguments, "--project", str(self.root)]

    def app(self, source: str) -> subprocess.CompletedProcess[str]:
        """Run a script of the application, to its end."""
        process = self.start_app(source, errors=subprocess.PIPE)
        output, errors = process.communicate(timeout=DEADLINE_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def start_app(self, source: str, *, errors: int = subprocess.STDOUT) -> subprocess.Popen[str]:
        """Start a script of the application."""
        script = self.root / "src" / "app.py"
        script.write_text("import asyncio\nfrom defer_cli import *\n" + textwrap.dedent(source))
        return self._start([sys.executable, str(script)], errors=errors)

    def _start(
        self, command: list[str], *, errors: int = subprocess.STDOUT, environment: Mapping[str, str] = {}
    ) -> subprocess.Popen[str]:
        env = _environment() | dict(environment)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=env, cwd=self.root)
        self.processes.append(process)
        return process

    def end(self) -> None:
        """Kill what still runs."""
        for process in self.processes:
            process.kill()
            process.wait()

    # What is in the store.

    @contextmanager
    def reader(self, data: Path | None = None) -> Iterator[Reader]:
        reader = open_reader((data or self.data) / "defer.db")
        try:
            yield reader
        finally:
            reader.close()

    def get(self, id: str) -> Execution:
        with self.reader() as reader:
            found = reader.get(id)
        assert found is not None, id
        return found

    def attempts(self, id: str) -> list[Attempt]:
        with self.reader() as reader:
            return reader.attempts(id)

    def outcomes(self, id: str) -> list[str]:
        """Return the moves that ended the attempts of an execution."""
        return [attempt.outcome for attempt in self.attempts(id)]

    def error(self, id: str) -> dict[str, Any]:
        with self.reader() as reader:
            payload = reader.payload(id)
        assert payload is not None
        assert payload[2] is not None, "it has no error"
        error: dict[str, Any] = json.loads(payload[2])
        return error

    def result(self, id: str) -> Any:
        with self.reader() as reader:
            payload = reader.payload(id)
        assert payload is not None
        return payload[1] and json.loads(payload[1])

    def lines(self, id: str, *, attempt: int | None = None) -> list[str]:
        with self.reader() as reader:
            return [line.text for line in reader.log_lines(id, attempt=attempt)]

    def children(self, parent: str) -> list[Execution]:
        with self.reader() as reader:
            return newest(reader, limit=500, parent=parent)

    def counts(self, data: Path | None = None) -> dict[tuple[str, State], int]:
        with self.reader(data) as reader:
            return reader.counts()

    def in_state(self, *states: State) -> int:
        """Return how many executions are in one of these states."""
        return sum(count for (_, state), count in self.counts().items() if state in states)


class Runner:
    """A runner's process and what it says."""

    def __init__(self, process: subprocess.Popen[str], data: Path) -> None:
        self.process = process
        self.data = data
        self.lines: list[str] = []
        self._said = threading.Condition()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                with self._said:
                    self.lines.append(line.rstrip("\n"))
                    self._said.notify_all()
        with self._said:
            self._said.notify_all()

    def until_line(self, *words: str) -> str:
        """Return the first line that holds all ``words``; fail when it does not come in time."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        with self._said:
            while True:
                for line in self.lines:
                    if all(word in line for word in words):
                        return line
                left = deadline - time.monotonic()
                if left <= 0 or not self._thread.is_alive():
                    raise TimeoutError(f"the runner did not say {words}; it said:\n" + "\n".join(self.lines))
                self._said.wait(min(left, 1))

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def url(self) -> str:
        """Where its API is; it was started with ``--port 0``."""
        (url,) = [word.removeprefix("url=") for word in self.until_line("runner ready").split() if "url=" in word]
        return url

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def worker_pids(self) -> list[int]:
        return [int(line.split()[0]) for line in (self.data / "workers").read_text().splitlines()]

    def client(self) -> Client:
        return Client(self.data)

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def stop(self, *, seconds: float = DEADLINE_SECONDS) -> int:
        """Ask it to stop; return its exit code."""
        self.signal()
        return self.wait(seconds=seconds)

    def wait(self, *, seconds: float = DEADLINE_SECONDS) -> int:
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"the runner did not end within {seconds:g} s; it said:\n{self.output}") from None
        self._thread.join(DEADLINE_SECONDS)
        return code

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._thread.join(DEADLINE_SECONDS)


class Client:
    """A caller at a runner's socket; each answer is waited for with a deadline."""

    def __init__(self, data: Path) -> None:
        self._socket = connect(str(data / "runner.sock"), timeout_seconds=DEADLINE_SECONDS)
        self._socket.settimeout(DEADLINE_SECONDS)
        self._reader = FrameReader(FromRunner)
        self._replies: dict[int, Any] = {}
        self._number = 0
        self._socket.sendall(encode_frame(Hello(PROTOCOL, os.getpid())))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def call(self, function: str, *arguments: object, **fields: Any) -> str:
        """Enqueue one call; return its id once it is on disk."""
        (id,) = self.calls(function, [list(arguments)], **fields)
        return id

    def calls(self, function: str, arguments: list[list[object]], **fields: Any) -> list[str]:
        """Enqueue one call for each of ``arguments``, in one frame."""
        now = time.time_ns() // 1_000
        calls = [Enqueue(random_id(), function, json.dumps(given).encode(), now, **fields) for given in arguments]
        reply = self._ask(lambda number: Enqueues(number, calls))
        assert isinstance(reply, Enqueued), reply
        assert not any(isinstance(result, Stored | Refused) for result in reply.results), reply
        return [call.id for call in calls]

    def wait(self, id: str) -> str:
        """Wait for the end of an execution; return its state."""
        reply = self._ask(lambda number: Wait(number, id))
        assert isinstance(reply, Ended), reply
        return reply.state

    def run(self, function: str, *arguments: object, **fields: Any) -> str:
        """Enqueue one call and wait for its end; return its id."""
        id = self.call(function, *arguments, **fields)
        self.wait(id)
        return id

    def ask(self, name: str, **parameters: Any) -> Any:
        reply = self._ask(lambda number: Ask(number, name, parameters))
        assert isinstance(reply, Answer), reply
        return reply.value

    def _ask(self, build: Callable[[int], Struct]) -> Any:
        self._number += 1
        number = self._number
        self._socket.sendall(encode_frame(build(number)))
        while number not in self._replies:
            data = self._socket.recv(1 << 18)
            if not data:
                raise ConnectionError("the runner hung up")
            for frame in self._reader.feed(data):
                if not isinstance(frame, Hello):
                    assert not isinstance(frame, Failure) or frame.number, frame
                    self._replies[frame.number] = frame
        return self._replies.pop(number)


def is_alive(pid: int) -> bool:
    """Whether a process runs: one that has ended and was not waited for does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DEFER_")}
    return kept | {"PYTHONUNBUFFERED": "1", "DEFER_PORT": "off"}


_HEAD = """
import asyncio, ctypes, os, signal, sys, threading, time
from defer_cli import RetryPolicy, add_metadata, assign_options, await_result, current_execution, defer
from notes import is_noted, note, read, until_noted
"""

_NOTES = '''
import asyncio, os

def note(name, text=""):
    """Add a line; whole also when many processes write."""
    descriptor = os.open(os.path.join({folder}, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, f"{{text}}\\n".encode())
    os.close(descriptor)

def read(name):
    if not is_noted(name):
        return []
    with open(os.path.join({folder}, name)) as lines:
        return lines.read().splitlines()

def is_noted(name):
    return os.path.exists(os.path.join({folder}, name))

async def until_noted(name):
    pause = 0.005
    while not is_noted(name):
        await asyncio.sleep(pause)
        pause = min(1.05 * pause, 0.05)
'''
