"""A user's project in a folder of its own, its real runner, and its apps behind real servers."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.execution import Execution
from defer_cli.link.inbox import list_entries, read_entry
from defer_cli.link.project import DataFolder
from defer_cli.store.sqlite import open_reader
from tests.acceptance.command import DEADLINE_SECONDS, Living, environment, living
from tests.process.harness import until

PROJECT = Path(__file__).parent / "project"


@dataclass(frozen=True)
class Reply:
    """What a server answered; ``data`` is its JSON, None when it is another kind of page."""

    status: int
    data: Any


class Site:
    """The project, and what is on its disk."""

    def __init__(self, root: Path, *, source: Path = PROJECT) -> None:
        self.root = root
        self.data = DataFolder(str(root / ".defer"))
        self._running = ExitStack()
        self._runner: Living | None = None
        left_out = shutil.ignore_patterns("__pycache__", ".defer", "outbox", "data")
        shutil.copytree(source, root, dirs_exist_ok=True, ignore=left_out)

    # The runner.

    def with_runner(self) -> Living:
        """Return the runner, started when none lives."""
        if self._runner is None:
            words = ("run", "--workers", "1", "--port", "off")
            self._runner = self._running.enter_context(living(self.root, *words, ready="runner ready"))
        return self._runner

    def without_runner(self) -> None:
        """Kill the runner with SIGKILL if one lives."""
        if self._runner is not None:
            self._runner.process.kill()
            self._runner.process.wait(DEADLINE_SECONDS)
            self._runner = None

    def close(self) -> None:
        self._running.close()

    # What runs beside it.

    @contextmanager
    def serving(self, command: str, *options: str) -> Iterator[Server]:
        """Keep a server alive for the block, from when it accepts connections; ``{port}`` becomes a free one."""
        port = free_port()
        words = [*shlex.split(command), *(option.format(port=port) for option in options)]
        log = self.root / f"server-{port}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                words,
                cwd=self.root,
                env=_shell(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        server = Server(process, port, log)
        try:
            until(server.is_ready, f"{command} accepts connections")
            yield server
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(DEADLINE_SECONDS)
            with suppress(ProcessLookupError):  # what it has forked
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def run(self, *words: str, says: str | None = None, folder: str = ".") -> str:
        """Run a program to its end, in a folder of the project; return what it printed."""
        done = subprocess.run(
            words,
            cwd=self.root / folder,
            env=_shell(),
            input=says,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    # What is on disk.

    def stored(self, id: str) -> Execution | None:
        """Return an execution as it is in the database."""
        with closing(open_reader(Path(self.data.database))) as reader:
            return reader.get(id)

    def in_inbox(self) -> list[Enqueue]:
        """Return the calls that wait in the inbox."""
        return [call for name in list_entries(self.data) for call in read_entry(self.data, name)]

    def letter(self, id: str) -> str | None:
        """Return what the execution has written, None before it has."""
        path = self.root / "letters" / f"{id}.txt"
        return path.read_text() or None if path.exists() else None

    def until_letters(self, *names: str) -> None:
        """Return once each name has a letter; fail when one has two."""
        wanted = sorted(f"Welcome, {name}!" for name in names)

        def found() -> list[str]:
            letters = (path.read_text() for path in (self.root / "letters").glob("*.txt"))
            return sorted(letter for letter in letters if letter in wanted)

        until(lambda: set(found()) == set(wanted), f"letters to {names}")
        assert found() == wanted


class Server:
    """A server's process, and the requests to it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self._port = port
        self._log = log

    @property
    def output(self) -> str:
        """What it has logged."""
        return self._log.read_text()

    def until_logged(self, text: str) -> None:
        """Return once it has logged ``text``; a server may answer first."""
        until(lambda: text in self.output, f"{text!r} in:\n{self.output}")

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.output
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self._port)):
            return True
        return False

    def get(self, path: str) -> Reply:
        return self.request("GET", path)

    def post(self, path: str, body: object = None) -> Reply:
        return self.request("POST", path, json.dumps(body))

    def request(self, method: str, path: str, body: str = "") -> Reply:
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=DEADLINE_SECONDS)) as connection:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
        is_json = response.headers.get_content_type() == "application/json"
        return Reply(response.status, json.loads(content) if is_json else None)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _shell() -> dict[str, str]:
    """Return the environment of a shell in which the project's virtual environment is active."""
    folder = str(Path(sys.executable).parent)
    return environment({"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"})
