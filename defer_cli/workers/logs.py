"""What an attempt prints and logs: caught by context, kept in lines, sent in chunks."""

from __future__ import annotations

import io
import logging
import os
import sys
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import TextIO

import msgspec

from defer_cli.domain.log_chunk import LogChunk

MOST_LINES = 10_000
MOST_BYTES = 1024 * 1024
LONGEST_LINE = 16 * 1024

_encode = msgspec.msgpack.Encoder().encode

current_log: ContextVar[AttemptLog | None] = ContextVar("defer_attempt_log", default=None)


class AttemptLog:
    """The lines of one attempt, held until they are sent; over the cap they are only counted."""

    __slots__ = (
        "_attempt",
        "_bell",
        "_bytes",
        "_count",
        "_lines",
        "_part",
        "_partial",
        "_seq",
        "dropped",
    )

    def __init__(self, seq: int, attempt: int, bell: Callable[[AttemptLog], None]) -> None:
        self._seq = seq
        self._attempt = attempt
        self._bell = bell
        self._lines: list[tuple[int, str, str]] = []
        self._partial: dict[str, str] = {}
        self._count = 0
        self._bytes = 0
        self._part = 0
        self.dropped = 0

    def write(self, stream: str, text: str) -> None:
        """Take text as it is printed; whole lines are kept, the rest waits for its newline."""
        if "\n" not in text:
            held = self._partial.get(stream, "") + text
            if len(held) > LONGEST_LINE:
                self.line(stream, held)
                held = ""
            self._partial[stream] = held
            return
        head = self._partial.pop(stream, None)
        if head:
            text = head + text
        if text.find("\n") == len(text) - 1:
            self.line(stream, text[:-1])
            return
        *lines, rest = text.split("\n")
        for line in lines:
            self.line(stream, line)
        if rest:
            self._partial[stream] = rest

    def line(self, stream: str, text: str) -> None:
        """Keep one line, cut at 16 Ki characters, unless the attempt has used up its room."""
        size = len(text)
        if size > LONGEST_LINE:
            text = text[:LONGEST_LINE] + f"… ({size - LONGEST_LINE:,} more characters)"
            size = len(text)
        if not text.isascii():
            data = text.encode(errors="backslashreplace")  # a lone surrogate is shown, not fatal
            text, size = data.decode(), len(data)
        if self._count >= MOST_LINES or self._bytes + size > MOST_BYTES:
            self.dropped += 1
            return
        if not self._lines:
            self._bell(self)
        self._lines.append((time.time_ns() // 1000, stream, text))
        self._count += 1
        self._bytes += size

    def take(self, *, is_last: bool) -> LogChunk | None:
        """Return what is waiting as a chunk, None when nothing is; the last one carries the count of the dropped."""
        if is_last and self._partial:
            for stream, text in self._partial.items():
                if text:
                    self.line(stream, text)
            self._partial = {}
        dropped = self.dropped if is_last else 0
        lines = self._lines[:]
        if not lines and not dropped:
            return None
        del self._lines[: len(lines)]  # not a new list: a thread that prints may be about to append to this one
        part = self._part
        self._part += 1
        return LogChunk(self._seq, self._attempt, part, _encode(lines), dropped)


class ContextStream(io.TextIOBase):
    """A stdout or stderr that gives each line to the execution that printed it, others to the worker's own."""

    def __init__(self, name: str, own: TextIO) -> None:
        self._name = name
        self._own = own

    def write(self, text: str) -> int:
        log = current_log.get()
        if log is None:
            return self._own.write(text)
        log.write(self._name, text)
        return len(text)

    def flush(self) -> None:
        if not self._own.closed:
            self._own.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._own.fileno()

    def reconfigure(self, **options: object) -> None:
        """Stay as it is: programs set the encoding or the buffering of their own stdout."""

    def close(self) -> None:
        """Stay open: the stream is shared by every execution of the process."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "backslashreplace"

    @property
    def buffer(self) -> io.BufferedIOBase:
        return _ContextBytes(self)  # type: ignore[return-value]


class _ContextBytes(io.RawIOBase):
    """``sys.stdout.buffer`` for code that prints bytes; what is no UTF-8 is shown escaped."""

    def __init__(self, stream: ContextStream) -> None:
        self._stream = stream

    def write(self, data: object) -> int:
        view = bytes(data)  # type: ignore[call-overload]
        self._stream.write(view.decode(errors="backslashreplace"))
        return len(view)

    def writable(self) -> bool:
        return True


class ContextHandler(logging.Handler):
    """A logging handler that writes to the execution's log; added only when the root logger has none."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:
            self.handleError(record)
            return
        log = current_log.get()
        if log is None:
            print(text, file=sys.__stderr__)
        else:
            log.write("logging", text + "\n")


def catch_output() -> None:
    """Put the context-aware streams and handler in place."""
    sys.stdout = ContextStream("stdout", sys.stdout)
    sys.stderr = ContextStream("stderr", sys.stderr)
    os.register_at_fork(after_in_child=lambda: current_log.set(None))  # nobody would send what a child has kept


def catch_logging() -> None:
    """Add our handler when the user's code has configured none; then INFO and above are kept."""
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(ContextHandler())
        if root.level == logging.WARNING:
            root.setLevel(logging.INFO)
