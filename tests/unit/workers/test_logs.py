"""What is printed becomes lines of its attempt, within a cap."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading

import msgspec
import pytest

from defer_cli.domain.log_chunk import LogChunk
from defer_cli.workers.logs import (
    LONGEST_LINE,
    MOST_BYTES,
    MOST_LINES,
    AttemptLog,
    ContextHandler,
    ContextStream,
    catch_logging,
    current_log,
)


@pytest.fixture
def log() -> AttemptLog:
    return AttemptLog(1, 1, lambda log: None)


def texts(chunk: LogChunk | None) -> list[str]:
    return [text for _, _, text in msgspec.msgpack.decode(chunk.lines)] if chunk else []


def end(log: AttemptLog) -> list[str]:
    return texts(log.take(is_last=True))


def test_each_newline_ends_a_line(log: AttemptLog) -> None:
    log.write("stdout", "a\nb\n\nc\n")

    assert end(log) == ["a", "b", "", "c"]


def test_a_line_may_come_in_pieces(log: AttemptLog) -> None:
    for piece in ("a", "b", "\n", "c", "d\ne"):
        log.write("stdout", piece)

    assert texts(log.take(is_last=False)) == ["ab", "cd"]


def test_the_last_line_needs_no_newline(log: AttemptLog) -> None:
    log.write("stdout", "a\nb")

    assert end(log) == ["a", "b"]


def test_pieces_of_two_streams_do_not_mix(log: AttemptLog) -> None:
    log.write("stdout", "out")
    log.write("stderr", "err\n")
    log.write("stdout", "\n")

    assert end(log) == ["err", "out"]


def test_a_chunk_is_taken_once(log: AttemptLog) -> None:
    log.write("stdout", "a\n")
    log.take(is_last=False)

    assert log.take(is_last=False) is None


def test_chunks_are_numbered(log: AttemptLog) -> None:
    parts = []
    for text in "ab":
        log.write("stdout", f"{text}\n")
        chunk = log.take(is_last=False)
        assert chunk is not None
        parts.append((chunk.seq, chunk.attempt, chunk.part))

    assert parts == [(1, 1, 0), (1, 1, 1)]


def test_lines_over_the_cap_are_counted(log: AttemptLog) -> None:
    for number in range(MOST_LINES + 7):
        log.write("stdout", f"{number}\n")
    chunk = log.take(is_last=True)

    assert chunk is not None
    assert (len(texts(chunk)), chunk.dropped) == (MOST_LINES, 7)


def test_bytes_over_the_cap_are_counted_as_lines(log: AttemptLog) -> None:
    for _ in range(200):
        log.write("stdout", "é" * 5_000 + "\n")
    chunk = log.take(is_last=True)

    assert chunk is not None
    assert sum(len(text.encode()) for text in texts(chunk)) <= MOST_BYTES
    assert len(texts(chunk)) + chunk.dropped == 200


def test_a_flood_without_a_newline_stays_in_its_cage(log: AttemptLog) -> None:
    for _ in range(100):
        log.write("stdout", "x" * 1_000_000)
    chunk = log.take(is_last=True)

    assert chunk is not None
    assert len(chunk.lines) < 2 * MOST_BYTES


def test_a_long_line_is_cut_and_says_so(log: AttemptLog) -> None:
    log.write("stdout", "x" * (LONGEST_LINE + 1_000) + "\n")

    assert end(log) == ["x" * LONGEST_LINE + "… (1,000 more characters)"]


def test_a_lone_surrogate_is_shown_escaped(log: AttemptLog) -> None:
    log.write("stdout", "a\udc80b\n")

    assert end(log) == ["a\\udc80b"]


def test_the_bell_rings_when_the_first_line_waits() -> None:
    rung: list[AttemptLog] = []
    log = AttemptLog(1, 1, rung.append)
    log.write("stdout", "a\nb\n")
    log.take(is_last=False)
    log.write("stdout", "c\n")

    assert len(rung) == 2


def test_no_line_of_a_thread_is_lost_while_another_takes() -> None:
    log = AttemptLog(1, 1, lambda log: None)
    kept: list[str] = []

    def speak(name: str) -> None:
        for number in range(1_000):
            log.line("stdout", f"{name}{number}")

    threads = [threading.Thread(target=speak, args=(name,)) for name in "abc"]
    was = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            kept += texts(log.take(is_last=False))
    finally:
        sys.setswitchinterval(was)
        for thread in threads:
            thread.join()
    kept += end(log)

    assert len(kept) == len(set(kept)) == 3_000


def test_a_print_belongs_to_the_attempt_of_its_context(log: AttemptLog) -> None:
    own = io.StringIO()
    stream = ContextStream("stdout", own)
    token = current_log.set(log)
    print("inside", file=stream)
    current_log.reset(token)
    print("outside", file=stream)

    assert (end(log), own.getvalue()) == (["inside"], "outside\n")


def test_a_bare_thread_prints_to_the_workers_own_stream(log: AttemptLog) -> None:
    own = io.StringIO()
    stream = ContextStream("stdout", own)
    token = current_log.set(log)
    thread = threading.Thread(target=lambda: print("bare", file=stream))
    thread.start()
    thread.join()
    current_log.reset(token)

    assert (end(log), own.getvalue()) == ([], "bare\n")


def test_bytes_that_are_no_text_are_shown_escaped(log: AttemptLog) -> None:
    stream = ContextStream("stdout", io.StringIO())
    token = current_log.set(log)
    stream.buffer.write(b"a\xff\n")
    current_log.reset(token)

    assert end(log) == ["a\\xff"]


def test_closing_stdout_closes_it_for_nobody(log: AttemptLog) -> None:
    own = io.StringIO()
    stream = ContextStream("stdout", own)
    stream.close()
    stream.write("still")

    assert own.getvalue() == "still"


def test_stdout_may_be_reconfigured() -> None:
    ContextStream("stdout", io.StringIO()).reconfigure(encoding="utf-8", line_buffering=True)


def test_what_is_logged_belongs_to_the_attempt(log: AttemptLog) -> None:
    handler = ContextHandler()
    token = current_log.set(log)
    handler.handle(logging.LogRecord("shop", logging.WARNING, "a.py", 1, "sold %d", (3,), None))
    current_log.reset(token)

    assert end(log) == ["WARNING shop: sold 3"]


def test_our_handler_is_added_only_when_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.RootLogger(logging.WARNING)
    own = logging.NullHandler()
    root.addHandler(own)
    monkeypatch.setattr(logging, "getLogger", lambda: root)
    catch_logging()

    assert root.handlers == [own]


def test_without_a_handler_ours_keeps_info(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.RootLogger(logging.WARNING)
    monkeypatch.setattr(logging, "getLogger", lambda: root)
    catch_logging()

    assert [type(handler) for handler in root.handlers] == [ContextHandler]
    assert root.level == logging.INFO


def test_the_stream_has_the_descriptor_of_the_workers_own() -> None:
    with open(os.devnull, "w", encoding="utf-8") as own:
        assert ContextStream("stdout", own).fileno() == own.fileno()
