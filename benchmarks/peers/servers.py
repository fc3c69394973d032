"""Redis and PostgreSQL in temporary folders, on free ports of loopback, for as long as a block lasts."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

_READY_SECONDS = 30.0
_STOP_SECONDS = 20.0
_BLOCKS_STARTING = Path("/usr/sbin/policy-rc.d")
_PACKAGES = {"redis": "redis-server", "postgresql": "postgresql"}


class Server(Protocol):
    """Where a peer keeps its queue."""

    @property
    def pid(self) -> int | None:
        """The process of the server, if there is one."""

    def fresh(self) -> str:
        """Return the address of an empty place for a queue."""


@dataclass
class Folder:
    """No server: a folder for the peer's own file."""

    root: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    pid: int | None = None

    def fresh(self) -> str:
        """Return an empty folder."""
        for old in self.root.iterdir():
            shutil.rmtree(old)
        made = self.root / str(next(self._numbers))
        made.mkdir()
        return str(made)


@dataclass
class Redis:
    """A Redis that appends each command to a file and syncs the file once a second."""

    port: int
    pid: int | None

    def fresh(self) -> str:
        """Empty the whole server."""
        answer = _ask_redis(self.port, "FLUSHALL SYNC")
        if not answer.startswith("+OK"):
            raise RuntimeError(f"Redis did not empty itself: {answer}")
        return f"redis://127.0.0.1:{self.port}"


@dataclass
class PostgreSQL:
    """A PostgreSQL as initdb makes it: every commit is synced."""

    programs: Path
    port: int
    pid: int | None

    def fresh(self) -> str:
        """Drop the database before and return a new one."""
        self._run("DROP DATABASE IF EXISTS bench WITH (FORCE)")
        self._run("CREATE DATABASE bench")
        return f"postgresql://postgres@127.0.0.1:{self.port}/bench"

    def _run(self, statement: str) -> None:
        subprocess.run(
            [self.programs / "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-qc", statement],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )


@contextmanager
def server(kind: str) -> Iterator[Server]:
    """Start a server of its own and stop it at the end, whatever happens in between."""
    with tempfile.TemporaryDirectory(prefix="defer-peers-", ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        if kind == "redis":
            yield from _redis(root)
        elif kind == "postgresql":
            yield from _postgresql(root)
        else:
            yield Folder(root)


def versions() -> dict[str, str]:
    """Return what the servers say of themselves."""
    redis = subprocess.run(["redis-server", "--version"], check=True, capture_output=True, text=True, timeout=30)
    postgresql = subprocess.run(
        [_programs() / "postgres", "--version"], check=True, capture_output=True, text=True, timeout=30
    )
    return {"Redis": redis.stdout.split("v=")[1].split()[0], "PostgreSQL": postgresql.stdout.split()[2]}


def install_missing() -> None:
    """Install Debian's packages where they are missing, without their services being started."""
    missing = [_PACKAGES["redis"]] if shutil.which("redis-server") is None else []
    if not any(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        missing.append(_PACKAGES["postgresql"])
    if not missing:
        return
    ours = not _BLOCKS_STARTING.exists()
    if ours:
        _BLOCKS_STARTING.write_text("#!/bin/sh\nexit 101\n")
        _BLOCKS_STARTING.chmod(0o755)
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        subprocess.run(["apt-get", "update", "--quiet"], check=True, capture_output=True, timeout=300)
        subprocess.run(
            ["apt-get", "install", "--yes", "--quiet", *missing],
            check=True,
            capture_output=True,
            timeout=600,
            env=quiet,
        )
    finally:
        if ours:
            _BLOCKS_STARTING.unlink()


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return found[-1]


def _redis(root: Path) -> Iterator[Redis]:
    port = _free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(root), "--save", ""]
    command += ["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory", "4gb", "--daemonize", "no"]
    with (root / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        with _stopping(process, signal.SIGTERM):
            _wait_until_ready(process, lambda: _ask_redis(port, "PING").startswith("+PONG"), root / "server.log")
            yield Redis(port, process.pid)


def _postgresql(root: Path) -> Iterator[PostgreSQL]:
    programs, data, port = _programs(), root / "data", _free_port()
    user = None
    if os.geteuid() == 0:  # PostgreSQL refuses to be run by root
        user = "postgres"
        shutil.chown(root, user)
    initialise = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "--encoding", "UTF8"]
    subprocess.run(initialise, check=True, capture_output=True, timeout=120, user=user, cwd=root)
    command = [str(programs / "postgres"), "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", "", "-N", "300"]
    with (root / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, user=user, cwd=root)
        ready = [str(programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-q"]
        with _stopping(process, signal.SIGINT):
            _wait_until_ready(
                process, lambda: subprocess.run(ready, check=False, timeout=10).returncode == 0, root / "server.log"
            )
            yield PostgreSQL(programs, port, process.pid)


@contextmanager
def _stopping(process: subprocess.Popen[bytes], number: signal.Signals) -> Iterator[None]:
    try:
        yield
    finally:
        process.send_signal(number)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_SECONDS)


def _wait_until_ready(process: subprocess.Popen[bytes], answers: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not answers():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"a server did not start: {log.read_text()[-500:]}")
        time.sleep(0.05)


def _ask_redis(port: int, command: str) -> str:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(200).decode()
    except ConnectionRefusedError:
        return ""


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
