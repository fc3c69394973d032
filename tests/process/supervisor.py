"""Does what a unit says, as systemd would, but for its sandbox: starts, watches, starts again, stops."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.exporting import unit_of, words_of
from tests.process.harness import DEADLINE_SECONDS, until
from tests.process.manager import Manager, listening

RESTART_SECONDS = 0.1
"""Instead of what the unit says: a test need not wait for it."""


class Supervisor:
    """One service."""

    def __init__(self, unit: Path, manager: Manager, environ: Mapping[str, str]) -> None:
        self._unit = unit_of(unit)
        assert self._unit["Type"] == ["notify"]
        self._manager = manager
        self._environ = {
            **environ,
            "NOTIFY_SOCKET": manager.address,
            "WATCHDOG_USEC": str(int(self._unit["WatchdogSec"][0]) * 1_000_000),
        }
        self._main: subprocess.Popen[bytes] | None = None
        self._is_wanted = threading.Event()
        self._over = threading.Event()
        self._watcher: threading.Thread | None = None
        self.codes: list[int] = []

    @property
    def pid(self) -> int:
        assert self._main is not None
        return self._main.pid

    def start(self) -> None:
        """Start the service, and return once it is ready."""
        self._is_wanted.set()
        self._over.clear()
        self._spawn()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        self.until_ready()

    def until_ready(self) -> None:
        """Return once the process that runs now has said so."""
        until(lambda: self._manager.until(READY="1")["MAINPID"] == str(self.pid), "the service is ready")

    def _spawn(self) -> None:
        words = words_of(self._unit["ExecStart"][0])
        self._main = subprocess.Popen(words, cwd=self._unit["WorkingDirectory"][0], env=self._environ)

    def _watch(self) -> None:
        never = {int(code) for code in self._unit["RestartPreventExitStatus"][0].split()}
        while True:
            assert self._main is not None
            code = self._main.wait()
            self.codes.append(code)
            if not self._is_wanted.is_set() or code == 0 or code in never:
                break
            if self._over.wait(RESTART_SECONDS):
                break
            self._spawn()
        self._over.set()

    def until_over(self) -> int:
        """Return the last exit code, once the service is not started again."""
        assert self._over.wait(DEADLINE_SECONDS)
        return self.codes[-1]

    def stop(self) -> int:
        """Ask the main process to stop, as ``KillMode=mixed`` does; fail when it takes longer than the unit allows."""
        assert self._unit["KillMode"] == ["mixed"]
        assert self._watcher is not None
        self._is_wanted.clear()
        os.kill(self.pid, signal.SIGTERM)
        self._watcher.join(float(self._unit["TimeoutStopSec"][0]))
        assert not self._watcher.is_alive(), "it would have been killed"
        return self.codes[-1]

    def end(self) -> None:
        """Kill what still runs."""
        self._is_wanted.clear()
        self._over.set()
        if self._main is not None:
            self._main.kill()
        if self._watcher is not None:
            self._watcher.join(DEADLINE_SECONDS)


@contextmanager
def supervised(unit: Path, environ: Mapping[str, str]) -> Iterator[Supervisor]:
    """Run the service of a unit for the block."""
    with listening(f"@{unit.name}-{os.getpid()}") as manager:
        supervisor = Supervisor(unit, manager, environ)
        try:
            supervisor.start()
            yield supervisor
        finally:
            supervisor.end()
