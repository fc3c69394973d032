"""Slow and greedy sockets harm nobody else: the runner stays small, and other callers are answered as before.

Small by default; ``DEFER_FLOOD=500`` in the environment floods with so many sockets, for longer, and holds the p99.
Answers that are not read are the dear ones: each has to be made before it can be left unread.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

import pytest

from tests.process.harness import Project
from tests.process.raw_http import Caller, call
from tests.process.test_api_hostile import rss_mib

pytestmark = [pytest.mark.process, pytest.mark.fault]

_FULL = int(os.environ.get("DEFER_FLOOD", "0"))
_SOCKETS = _FULL or 60
_SECONDS = 12.0 if _FULL else 1.0
_CALLERS = 4
_MOST_MIB, _MOST_MIB_OF_ANSWERS = 64.0, 128.0
_FUNCTIONS = """
    @defer
    async def quick(*args):
        return None
"""
_LATER = b'"schedule_for":"2099-01-01T00:00:00Z"'
_CALL = call("quick")[:-1] + b"," + _LATER + b"}"
_LARGE = b'{"function_name":"quick",%b,"function_arguments":["%b"]}' % (_LATER, b"a" * 1_000_000)


class Served:
    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self.port = port
        caller = Caller(port)
        self.large: str = caller.ask("PUT", "/public/v2/executions", _LARGE).json["data"]["id"]
        caller.close()


@pytest.fixture(scope="module")
def served(make_project: Callable[[], Project]) -> Iterator[Served]:
    project = make_project()
    project.write(quick=_FUNCTIONS)
    with project.run("--port", "0", "--workers", "1") as runner:
        found = re.search(r"url=http://127\.0\.0\.1:(\d+)", runner.until_line("runner ready"))
        assert found is not None
        yield Served(runner.pid, int(found.group(1)))
        assert "level=error" not in runner.output


@contextmanager
def flooded(served: Served, *kinds: str) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.process.flood", str(served.port), str(_SOCKETS), *kinds]
    flood = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert flood.stdout is not None
        assert flood.stdout.readline() == "begun\n"
        yield
        output, _ = flood.communicate("end\n", timeout=30)
        print(f"\n{', '.join(kinds)}: {_SOCKETS} sockets, hung up on {output.strip()} times", end="")
    finally:
        flood.kill()
        flood.wait()


def p99_ms(served: Served) -> float:
    """Return what 99 of 100 calls of honest callers take at most; every one of them has to be taken."""
    took: list[float] = []
    faults: list[object] = []

    def work() -> None:
        caller = Caller(served.port)
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until:
            begun = time.perf_counter()
            answer = caller.ask("PUT", "/public/v2/executions", _CALL)
            took.append(time.perf_counter() - begun)
            if answer.status != 201:
                faults.append(answer)
        caller.close()

    threads = [threading.Thread(target=work) for _ in range(_CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    return sorted(took)[int(len(took) * 0.99)] * 1_000


class Watch:
    """Looks at how large a process becomes while the block runs."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self.before = self.most = rss_mib(pid)
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._over.wait(0.02):
            self.most = max(self.most, rss_mib(self._pid))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@pytest.mark.parametrize(
    "kinds",
    [("heads", "bodies", "chunks", "silence"), ("large bodies",), ("answers that are not read",)],
    ids=lambda kinds: kinds[0],
)
def test_a_flood_of_slow_sockets_harms_nobody_else(served: Served, kinds: tuple[str, ...]) -> None:
    are_answers = kinds[0].startswith("answers")
    kinds = tuple(served.large if are_answers else kind for kind in kinds)
    p99_ms(served)
    alone = p99_ms(served)

    with Watch(served.pid) as watch, flooded(served, *kinds):
        beside = p99_ms(served)
    alone = max(alone, p99_ms(served))  # the machine may have become busier meanwhile

    grown = watch.most - watch.before
    print(f"; runner +{grown:.0f} MiB, p99 {alone:.1f} ms alone, {beside:.1f} ms beside")
    assert grown <= (_MOST_MIB_OF_ANSWERS if are_answers else _MOST_MIB)
    if _FULL and not are_answers:
        assert beside <= 2 * alone
