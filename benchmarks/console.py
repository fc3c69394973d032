"""W11: the console's pages over a million executions while a runner works, and what an open page costs the runner."""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape

from benchmarks.crowd import FUNCTIONS, Crowd
from benchmarks.harness import (
    Project,
    Row,
    median,
    percentile,
    project,
    runner,
    span_seconds,
    spread,
    wait_for,
    wait_until_ready,
)
from benchmarks.throughput import SILENT, fill, finished
from defer_cli.store.sqlite.reader import open_reader

_STORED = 1_000_000
_LOAD = 400_000
_LOOKS = 40
_RATE_OVER = 100_000
_URL = re.compile(rb"url=http://127\.0\.0\.1:(\d+)")


def _port(made: Project) -> int:
    found = _URL.search((made.root / "runner.log").read_bytes())
    assert found
    return int(found[1])


def _page(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status}")
    return body


def _pages(made: Project, stored: int, load: int) -> tuple[dict[str, list[float]], bool]:
    """Return milliseconds of each look at each page, and whether the runner had work all the while."""
    crowd = Crowd(made.data / "defer.db", stored)
    crowd.fill()
    crowd.store.close()
    fill(made, load)
    with runner(made, "--workers", "2", "--port", "0"):
        wait_until_ready(made)
        connection = http.client.HTTPConnection("127.0.0.1", _port(made), timeout=30)
        reader = open_reader(made.data / "defer.db")
        found = re.search(rb'href="(/executions/[0-9a-z]{26})"', _page(connection, "/executions"))
        assert found
        paths = {
            "overview": "/",
            "overview, 30 days": "/?range=30d",
            "functions": "/functions",
            "function": f"/functions/{FUNCTIONS[3]}",
            "executions": "/executions",
            "executions, failed": "/executions?status=failed",
            "executions, a metadata value": "/executions?metadata.user=77",
            "execution": found[1].decode(),
        }
        took: dict[str, list[float]] = {name: [] for name in paths}
        for _ in range(_LOOKS):
            for name, path in paths.items():
                began = time.perf_counter()
                _page(connection, path)
                took[name].append((time.perf_counter() - began) * 1e3)
            if finished(reader) == load:
                break
        was_at_work = finished(reader) < load
        reader.close()
        connection.close()
    return took, was_at_work


@contextmanager
def _open_page(port: int, path: str) -> Iterator[None]:
    """Keep a page open as a browser does: the page, then its events."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    address = re.search(rb'data-live="([^"]+)"', _page(connection, path))
    assert address
    connection.request("GET", unescape(address[1].decode()))
    events = connection.getresponse()

    def read() -> None:
        try:
            while events.read1(65_536):
                pass
        except (OSError, ValueError, AttributeError):
            pass  # it was closed

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        if connection.sock is not None:
            connection.sock.close()
        events.close()
        thread.join(5)


def _rate(path: str | None) -> float:
    """Return no-ops a second of a fresh runner, with a page open or without."""
    with project({"noop": SILENT}) as made:
        fill(made, _RATE_OVER)
        with runner(made, "--workers", "2", "--port", "0"):
            wait_until_ready(made)
            reader = open_reader(made.data / "defer.db")
            if path is None:
                wait_for(lambda: finished(reader) == _RATE_OVER, "the end of all executions")
            else:
                with _open_page(_port(made), path):
                    wait_for(lambda: finished(reader) == _RATE_OVER, "the end of all executions")
            seconds = span_seconds(reader, "noop", _RATE_OVER)
            reader.close()
        return _RATE_OVER / seconds


def measure(runs: int) -> list[Row]:
    """Return the rows of W11; rates with and without a page are taken in turn."""
    with project({"noop": SILENT}) as made:
        made.data.mkdir(mode=0o700)
        took, was_at_work = _pages(made, _STORED, _LOAD)
    beside = "while the runner works" if was_at_work else "the runner was done before the last look"
    rows = [
        Row("W11", f"{name}, p95", f"{percentile(times, 0.95):.0f} ms", spread(times, " ms"), beside, "≤ 100 ms")
        for name, times in took.items()
    ]
    for path in ("/", "/executions"):
        pairs = [(_rate(None), _rate(path)) for _ in range(runs)]
        ratios = [with_page / without for without, with_page in pairs]
        rows.append(
            Row(
                "W11",
                f"no-ops with {path} open and live",
                f"{median([pair[1] for pair in pairs]):,.0f}/s",
                spread([pair[1] for pair in pairs]),
                f"{median(ratios):.2f} of without",
                "≥ 0.95",
            )
        )
    return rows
