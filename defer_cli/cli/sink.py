"""Where a runner's lines go: a thread of its own writes them, so that who reads them cannot stop the runner."""

from __future__ import annotations

import errno
import os
import select
import stat
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from threading import Event, RLock, Thread
from time import sleep
from typing import TextIO

MOST_WAITING = 4_000_000
"""Characters that wait for a slow reader; what comes on top of them is dropped and counted."""
_BREATH_SECONDS = 0.01
_AGAIN_SECONDS = 0.5
_FLUSH_SECONDS = 1.0


class Sink:
    """A descriptor that many lines go to; any thread may write.

    A reader who is slow, or a disk that is full, costs lines once too many wait; a reader who hangs up silences it.
    """

    def __init__(self, stream: TextIO, *, dropped: Callable[[int], str]) -> None:
        self._descriptor = stream.fileno()
        self._encoding = stream.encoding
        self._errors = stream.errors or "strict"
        self._is_pipe = stat.S_ISFIFO(os.fstat(self._descriptor).st_mode)
        self._dropped_line = dropped
        self._items: SimpleQueue[str | Event] = SimpleQueue()
        self._lock = RLock()  # a finaliser may log while this very thread writes
        self._given = 0
        self._gone = 0  # written by the thread only
        self._dropped = 0
        self._is_silent = False
        Thread(target=self._run, name="defer-sink", daemon=True).start()

    def write(self, text: str) -> None:
        """Take whole lines; they are written as one, soon."""
        if self._is_silent or not text:
            return
        with self._lock:
            waiting = self._given - self._gone
            if waiting and waiting + len(text) > MOST_WAITING:
                self._dropped += text.count("\n")
                return
            if self._dropped:
                self._tell_dropped()
            self._put(text)

    def flush(self, *, seconds: float = _FLUSH_SECONDS) -> None:
        """Wait until all lines are written, no longer than ``seconds``."""
        with self._lock:
            if self._dropped:
                self._tell_dropped()
        is_written = Event()
        self._items.put(is_written)
        is_written.wait(seconds)

    def _tell_dropped(self) -> None:
        count, self._dropped = self._dropped, 0
        self._put(self._dropped_line(count))

    def _put(self, text: str) -> None:
        self._given += len(text)
        self._items.put(text)

    # The thread.

    def _run(self) -> None:
        while True:
            items = [self._items.get()]
            items += [self._items.get() for _ in range(self._items.qsize())]
            text = "".join([item for item in items if isinstance(item, str)])
            for part in self._parts(text.encode(self._encoding, self._errors)):
                self._push(part)
            self._gone += len(text)
            for item in items:
                if isinstance(item, Event):
                    item.set()
            sleep(_BREATH_SECONDS)  # what comes meanwhile shares the next write

    def _parts(self, data: bytes) -> Iterator[bytes]:
        """Give whole lines, in parts that a pipe takes at once or not at all.

        Others may write to the same pipe (``2>&1``), and would get between the halves of a larger one while it is full.
        """
        start = 0
        while self._is_pipe and len(data) - start > select.PIPE_BUF:
            end = data.rfind(b"\n", start, start + select.PIPE_BUF) + 1 or data.find(b"\n", start) + 1 or len(data)
            yield data[start:end]
            start = end
        yield data[start:]

    def _push(self, data: bytes) -> None:
        """Write past the stream's buffer: its lock, held by a thread that waits, would abort the interpreter's end."""
        left = memoryview(data)
        while left and not self._is_silent:
            try:
                left = left[os.write(self._descriptor, left) :]
            except OSError as error:
                if isinstance(error, ConnectionError) or error.errno == errno.EBADF:
                    self._is_silent = True
                else:  # a disk may have room again
                    sleep(_AGAIN_SECONDS)
