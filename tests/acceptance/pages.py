"""Follows a page of docs/: writes its files, types its commands in one shell, and compares what they say."""

from __future__ import annotations

import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import IO

from tests.acceptance.command import DEADLINE_SECONDS, environment

DOCS = Path(__file__).parents[2] / "docs"
STAND_INS = Path(__file__).parent / "stand_ins"
"""Programs that a page uses and a machine may not have; one that is there comes first."""
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"^(?:#|//) ([\w./-]+)\n")
_MARK = "@@ the command before ended with"
_PAUSE_SECONDS = 0.02


@dataclass(frozen=True)
class Block:
    """A block of code of a page; ``name`` is the file it says it is."""

    kind: str
    text: str

    @property
    def name(self) -> str | None:
        found = _NAME.match(self.text)
        return found and found.group(1)

    def commands(self) -> Iterator[tuple[str, str]]:
        """Give each command, which goes on in lines that are indented, with its answer where the page tells it."""
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            lines = part.splitlines()
            count = 1 + sum(1 for _ in takewhile(lambda line: line.startswith("  "), lines[1:]))
            yield "\n".join(lines[:count]), "\n".join(lines[count:])


def blocks(page: str) -> list[Block]:
    """Return the blocks of a page."""
    return blocks_in((DOCS / page).read_text())


def blocks_in(text: str) -> list[Block]:
    """Return the blocks of a text."""
    return [Block(kind, content) for kind, content in _BLOCK.findall(text)]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        port: int = end.getsockname()[1]
        return port


@dataclass
class Reader:
    """Somebody who does what a page says: ``lasting`` are commands that go on, with the words that tell they are ready.

    ``other_words`` are what this machine needs instead of what is written: ports, folders.
    """

    shell: Shell
    folder: Path
    lasting: Mapping[str, str]
    other_words: Mapping[str, str]

    def follow(self, page: Sequence[Block]) -> None:
        """Write each file, type each command; fail where one fails or answers otherwise."""
        for block in page:
            if block.kind == "console":
                for command, answer in block.commands():
                    self._type(command, answer)
            elif block.name is not None:
                path = self.folder / block.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(self._here(block.text))

    def _type(self, command: str, answer: str) -> None:
        typed = self._here(command)
        ready = next((words for start, words in self.lasting.items() if command.startswith(start)), None)
        if ready is not None:
            self.shell.start(typed, ready)
            return
        code, said = self.shell.type(typed)
        assert code == 0, f"$ {typed}\n{said}"
        pattern = ".*?".join(re.escape(piece) for piece in self._here(answer).split("…"))
        assert not answer or re.fullmatch(pattern, said.strip(), re.DOTALL), f"$ {typed}\n{said}\nis not\n{answer}"

    def _here(self, text: str) -> str:
        for written, meant in self.other_words.items():
            text = text.replace(written, meant)
        return text


class Shell:
    """One bash, which keeps its folder and its variables from command to command."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._folder = folder
        self._logs: list[Path] = []
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._keys = self._process.stdin
        self._lines: queue.Queue[str] = queue.Queue()
        self._thread = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._thread.start()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._lines.put(line)

    def type(self, command: str) -> tuple[int, str]:
        """Return the exit code of a command, and what it said."""
        self._keys.write(f"{{ {command}\n}} < /dev/null\nprintf '\\n{_MARK} %d\\n' $?\n")
        self._keys.flush()
        said: list[str] = []
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                line = self._lines.get(timeout=max(deadline - time.monotonic(), 0.01))
            except queue.Empty:
                raise TimeoutError(f"$ {command}\n{''.join(said)}") from None
            if line.startswith(_MARK):
                return int(line.split()[-1]), "".join(said).removesuffix("\n")
            said.append(line)

    def start(self, command: str, ready: str) -> None:
        """Start a command that goes on, and return when it has said ``ready``."""
        log = self._folder / f"said-{len(self._logs)}"
        self._logs.append(log)
        self.type(f"{command} > {log} 2>&1 &")
        deadline = time.monotonic() + DEADLINE_SECONDS
        while ready not in (said := log.read_text() if log.exists() else ""):
            assert time.monotonic() < deadline, f"$ {command}\n{said}"
            time.sleep(_PAUSE_SECONDS)

    def close(self) -> None:
        """End the shell, and what goes on in it, in good order."""
        try:
            self.type("kill $(jobs -p); wait")
        finally:
            self._keys.close()
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(DEADLINE_SECONDS)
            self._thread.join(DEADLINE_SECONDS)


@contextmanager
def shell(folder: Path, *, path: Sequence[Path] = (), env: Mapping[str, str] | None = None) -> Iterator[Shell]:
    """Open a shell that knows `defer`, and no setting of it; ``path`` are more folders of programs."""
    folders = [Path(sys.executable).parent, *path, *map(Path, os.environ["PATH"].split(os.pathsep)), STAND_INS]
    opened = Shell(folder, environment({"PATH": os.pathsep.join(map(str, folders)), **(env or {})}))
    try:
        yield opened
    finally:
        opened.close()
