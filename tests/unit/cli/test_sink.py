"""Lines leave whole and in order, and neither a slow reader nor a full disk stops who writes them."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator
from typing import TextIO

import pytest

from defer_cli.cli import sink
from defer_cli.cli.sink import MOST_WAITING, Sink

DEADLINE_SECONDS = 10.0
LINE = "x" * 999 + "\n"


class Pipe:
    """A sink whose other end a test reads, or leaves unread."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        self.stream: TextIO = os.fdopen(writing, "w")
        self.sink = Sink(self.stream, dropped=lambda count: f"{count} dropped\n")

    def read_lines(self, count: int) -> bytes:
        """Return what comes until there are ``count`` lines."""
        data = b""
        while data.count(b"\n") < count:
            assert select.select([self.reading], [], [], DEADLINE_SECONDS)[0], f"it ends with {data[-80:]!r}"
            data += os.read(self.reading, 1 << 20)
        return data


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.sink.flush(seconds=DEADLINE_SECONDS)
    os.close(pipe.reading)
    pipe.stream.close()


def test_lines_leave_in_order(pipe: Pipe) -> None:
    for number in range(100):
        pipe.sink.write(f"{number}\n")

    assert pipe.read_lines(100).split() == [str(number).encode() for number in range(100)]


def test_what_was_written_has_left_after_a_flush(pipe: Pipe) -> None:
    pipe.sink.write("a\n")
    pipe.sink.flush(seconds=DEADLINE_SECONDS)

    assert os.read(pipe.reading, 10) == b"a\n"


def test_a_reader_that_stalls_holds_up_nobody_and_learns_what_it_missed(pipe: Pipe) -> None:
    fitting = MOST_WAITING // len(LINE)
    pipe.sink.write(LINE * fitting)
    for _ in range(7):
        pipe.sink.write(LINE)
    data = pipe.read_lines(fitting)
    pipe.sink.flush(seconds=DEADLINE_SECONDS)
    pipe.sink.write("more\n")
    data += pipe.read_lines(2)

    assert data == LINE.encode() * fitting + b"7 dropped\nmore\n"


def test_a_flush_to_a_reader_that_stalls_ends(pipe: Pipe) -> None:
    pipe.sink.write(LINE * 1_000)
    pipe.sink.flush(seconds=0)

    assert pipe.read_lines(1_000) == LINE.encode() * 1_000


def test_a_reader_that_hangs_up_silences_it() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        silent = Sink(stream, dropped=str)
        silent.write(LINE)
        silent.flush(seconds=DEADLINE_SECONDS)
        assert silent._is_silent


def test_a_disk_that_was_full_for_a_moment_loses_no_line(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink, "_AGAIN_SECONDS", 0.01)
    with open("/dev/full", "w") as disk:
        full = Sink(disk, dropped=str)
        full.write("a\n")
        full.flush(seconds=0.1)
        os.dup2(pipe.stream.fileno(), disk.fileno())
        full.write("b\n")

        assert pipe.read_lines(2) == b"a\nb\n"


def test_lines_of_many_threads_stay_whole(pipe: Pipe) -> None:
    def write() -> None:
        for _ in range(200):
            pipe.sink.write("abc\n")

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert pipe.read_lines(800) == b"abc\n" * 800
