"""Runs the real command in a project of its own, as a user does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

DEFER = (sys.executable, "-m", "defer_cli")
DEADLINE_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """What a command came to."""

    code: int
    out: str
    err: str


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a plain shell: no settings, no width; no API, for tests share one machine's ports.

    No pytest loads schemathesis, which is here for tests of ours, is no user's, and takes a second to load.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DEFER_", "PYTEST"))}
    kept.pop("COLUMNS", None)
    return {**kept, "DEFER_PORT": "off", "PYTEST_ADDOPTS": "-p no:schemathesis", **(extra or {})}


def defer(folder: Path, *words: str, env: Mapping[str, str] | None = None) -> Answer:
    """Run `defer` in ``folder`` and return its answer."""
    done = subprocess.run(
        [*DEFER, *words],
        cwd=folder,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def write_function(folder: Path, name: str, source: str) -> None:
    """Write one file of the folder of functions."""
    path = folder / "src" / "defer" / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"import asyncio\n\nfrom defer_cli import await_result, defer\n\n\n{source}")


class Living:
    """A runner in the background, and the lines it has printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: list[str] = []
        self._came = threading.Condition()
        assert process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        self._reader.start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            with self._came:
                self._lines.append(line.rstrip("\n"))
                self._came.notify_all()

    def line_with(self, text: str) -> str:
        """Wait for a line that holds ``text`` and return it."""

        def found() -> str | None:
            return next((line for line in self._lines if text in line), None)

        with self._came:
            line = self._came.wait_for(found, DEADLINE_SECONDS)
        assert line is not None, f"{text!r} did not come; there was: {self._lines}"
        return line

    def stop(self) -> int:
        """Ask it to end and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_SECONDS)


@contextmanager
def living(folder: Path, *words: str, ready: str, env: Mapping[str, str] | None = None) -> Iterator[Living]:
    """Keep a runner alive for the block; it has printed ``ready`` when the block begins."""
    process = subprocess.Popen(
        [*DEFER, *words],
        cwd=folder,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    runner = Living(process)
    try:
        runner.line_with(ready)
        yield runner
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(DEADLINE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        runner._reader.join(DEADLINE_SECONDS)
        assert process.stdout is not None
        process.stdout.close()
