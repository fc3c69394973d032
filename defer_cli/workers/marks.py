"""Which attempt a worker's loop is busy with, and since which step, in memory that its runner reads."""

from __future__ import annotations

import faulthandler
import mmap
import os
import re
import signal
from collections import abc
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from itertools import count
from types import coroutine
from typing import Any, NamedTuple

STACK_SIGNAL = signal.SIGRTMIN + 7
"""Has a worker write its stack; of the real-time signals, which no library takes by habit."""
_STEP, _SEQ = 0, 1
_BYTES = mmap.PAGESIZE
_FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$', re.MULTILINE)


Marker = Callable[[int, Coroutine[Any, Any, Any]], Any]


class Frame(NamedTuple):
    """A line of a stack."""

    file: str
    line: int


class Marks:
    """A file in memory: a page of marks, which the worker writes and the runner reads; then the worker's stack."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, _BYTES)
        self.words = memoryview(self._memory).cast("q")

    @classmethod
    def make(cls) -> Marks:
        """Make the file."""
        descriptor = os.memfd_create("defer-marks")
        try:
            os.ftruncate(descriptor, _BYTES)
            return cls(descriptor)
        except BaseException:
            os.close(descriptor)
            raise

    def close(self) -> None:
        """Let go of the memory; nothing may look at it any more."""
        self.words.release()
        self._memory.close()
        os.close(self.descriptor)

    # In the worker.

    def write_stack_when_asked(self) -> None:
        """Have C code write the stack of the thread of the loop, also while other C code holds the interpreter."""
        os.set_inheritable(self.descriptor, False)
        faulthandler.register(STACK_SIGNAL, file=self.descriptor, all_threads=False)

    def marker(self) -> Marker:
        """Return what runs a coroutine with its steps marked."""
        return _marker(self.words)

    # In the runner.

    @property
    def step(self) -> tuple[int, int]:
        """What is on the CPU, as (number of the step, ``seq`` of its attempt); ``seq`` is 0 between steps."""
        return self.words[_STEP], self.words[_SEQ]

    def ask_for_stack(self, pid: int) -> None:
        """Have a worker write its stack, if it would not end of being asked."""
        with suppress(OSError):
            if _catches(pid, STACK_SIGNAL):
                os.ftruncate(self.descriptor, _BYTES)
                os.lseek(self.descriptor, _BYTES, os.SEEK_SET)  # the worker's end moves with it: both are one
                os.kill(pid, STACK_SIGNAL)

    def stack(self) -> list[Frame]:
        """Return what the worker has written, the innermost frame first."""
        text = os.pread(self.descriptor, 1 << 16, _BYTES).decode(errors="replace")
        return [Frame(file, int(line)) for file, line, _ in _FRAME.findall(text)]


def _marker(words: memoryview[int]) -> Marker:
    next_step = count(words[_STEP] + 1).__next__

    @coroutine
    def marked(seq: int, wrapped: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Await ``wrapped`` as a part of the attempt ``seq``.

        What was on the CPU before a step comes back after it: some loops begin a task within a step of another.
        """
        take_step: Callable[[Any], Any] = wrapped.send
        value: Any = None
        while True:
            before = words[1]
            words[0] = next_step()
            words[1] = seq
            try:
                waits_for = take_step(value)
            except StopIteration as stop:
                return stop.value
            finally:
                words[1] = before
                value = None  # an exception that holds this frame must not be held by it
            try:
                value = yield waits_for
                take_step = wrapped.send
            except GeneratorExit:
                wrapped.close()
                raise
            except BaseException as thrown:
                value, take_step = thrown, wrapped.throw

    return marked


class Marked:
    """What a task runs in place of a coroutine whose steps are to be marked; in all else it is that coroutine."""

    __slots__ = ("_has_begun", "_steps", "_wrapped", "close")

    def __init__(self, mark: Marker, seq: int, wrapped: Coroutine[Any, Any, Any]) -> None:
        self._wrapped = wrapped
        self._steps = mark(seq, wrapped)
        self._has_begun = False
        self.close = wrapped.close

    def send(self, value: Any) -> Any:
        """Take a step."""
        self._has_begun = True
        return self._steps.send(value)

    def throw(self, *error: Any) -> Any:
        """Take a step that begins with an exception; before the first one none is taken."""
        return (self._steps if self._has_begun else self._wrapped).throw(*error)

    def __await__(self) -> Any:
        return self._wrapped.__await__()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)


abc.Coroutine.register(Marked)  # asyncio asks for it


def _catches(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal (``man 5 proc``, SigCgt): without one it would end of it."""
    with open(f"/proc/{pid}/status", "rb") as lines:
        for line in lines:
            if line.startswith(b"SigCgt:"):
                return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False
