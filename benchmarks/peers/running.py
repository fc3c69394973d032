"""One peer's scripts and workers, started, listened to and stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.peers import environments
from benchmarks.peers.lineup import Peer, Worker, programs

_ROOT = environments.HERE.parent.parent
_SCRIPT_SECONDS = 150.0
_STOP_SECONDS = 10.0


class Stage:
    """A peer before an empty queue, in a folder that goes away."""

    def __init__(self, peer: Peer, address: str, folder: Path) -> None:
        self._peer = peer
        self._folder = folder
        self._python = environments.python_of(peer.requirements)
        marks = folder / "marks"
        os.mkfifo(marks)
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(_ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "BENCH_SERVER": address,
            "BENCH_MARKS": str(marks),
            **peer.environment,
        }

    def play(self, role: str, *numbers: float, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Run the peer's script in a role to its end, and return what it says last."""
        with self.playing(role, *numbers, environment=environment) as script:
            said, _ = script.communicate(timeout=_SCRIPT_SECONDS)
            return self._last(script, said, role)

    @contextmanager
    def playing(
        self, role: str, *numbers: float, environment: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """Run the peer's script in a role for as long as the block lasts."""
        with (self._folder / f"{role}.log").open("a") as log:
            script = subprocess.Popen(
                [str(self._python), "-m", self._peer.app, role, *map(str, numbers)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=self._folder,
                env=self._environment | dict(environment or {}),
            )
            try:
                yield script
            finally:
                script.kill()
                script.wait(_STOP_SECONDS)
                if script.stdout:
                    script.stdout.close()

    def watched(self, worker: Worker, count: int, seconds: float) -> dict[str, Any]:
        """Start a worker before the filled queue, and return what a script saw of its results."""
        with self.playing("drain", count, seconds) as script:
            assert script.stdout is not None
            script.stdout.readline()  # it watches now
            with self.working(worker):
                said, _ = script.communicate(timeout=_SCRIPT_SECONDS)
            return self._last(script, said, "drain")

    @contextmanager
    def working(self, worker: Worker, **environment: str) -> Iterator[list[int]]:
        """Run a worker for as long as the block lasts; give the ids of its first processes."""
        with ExitStack() as stack:
            log = stack.enter_context((self._folder / "worker.log").open("a"))
            pids = []
            for command in worker.commands:
                process = subprocess.Popen(
                    programs(self._python, command),
                    stdout=log,
                    stderr=log,
                    cwd=self._folder,
                    env={**self._environment, **worker.environment, **environment},
                    start_new_session=True,
                )
                stack.callback(_stop, process)
                pids.append(process.pid)
            yield pids

    def _last(self, script: subprocess.Popen[str], said: str, role: str) -> dict[str, Any]:
        if script.returncode:
            worker = f"; its worker: {said}" if (said := self._last_line("worker.log")) else ""
            raise RuntimeError(f"its script failed as {role!r}: {self._last_line(f'{role}.log')}{worker}")
        lines = said.splitlines()
        return dict(json.loads(lines[-1])) if lines else {}

    def _last_line(self, name: str) -> str:
        log = self._folder / name
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        return lines[-1][:200] if lines else ""


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a worker to stop, then end its whole group."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait(_STOP_SECONDS)


@contextmanager
def stage(peer: Peer, address: str) -> Iterator[Stage]:
    """Give a peer an empty queue, with what it needs made in it."""
    with tempfile.TemporaryDirectory(prefix="defer-peers-", ignore_cleanup_errors=True) as folder:
        made = Stage(peer, address, Path(folder))
        made.play("prepare")
        yield made


def apart(requirements: str, script: str, *numbers: int) -> dict[str, Any]:
    """Run a script that needs neither queue nor worker in its environment, and return what it says."""
    command = [str(environments.python_of(requirements)), "-m", script, *map(str, numbers)]
    environment = os.environ | {"PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=_SCRIPT_SECONDS, env=environment
    )
    return dict(json.loads(ended.stdout))
