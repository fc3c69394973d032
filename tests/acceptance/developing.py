"""`defer dev` on a project, as a developer has it beside the editor."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.command import DEFER, environment
from tests.process.harness import DEADLINE_SECONDS, Project, Runner


class Dev(Runner):
    """A running `defer dev`, read line after line."""

    _read = 0

    def next_line(self, *words: str) -> str:
        """Return the next line that holds all ``words``, after the one returned last."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        with self._said:
            while True:
                for number, line in enumerate(self.lines[self._read :], start=self._read + 1):
                    if all(word in line for word in words):
                        self._read = number
                        return line
                left = deadline - time.monotonic()
                if left <= 0 or not self._thread.is_alive():
                    raise TimeoutError(f"it did not say {words}; it said:\n" + "\n".join(self.lines))
                self._said.wait(min(left, 1))

    def result(self, project: Project, function: str, *arguments: object) -> object:
        """Return what a call made now comes to."""
        with self.client() as client:
            return project.result(client.run(function, *arguments))


@contextmanager
def dev(
    project: Project,
    *options: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    data: Path | None = None,
) -> Iterator[Dev]:
    """Keep `defer dev` alive for the block, from its ready line on; ``data`` is where its data folder must be."""
    process = subprocess.Popen(
        [*DEFER, "dev", "--workers", "1", *options],
        cwd=cwd or project.root,
        env=environment({"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "", **(env or {})}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Dev(process, data or project.data)
    try:
        running.next_line("is ready")
        yield running
        process.send_signal(signal.SIGTERM)
        assert running.wait() == 0, running.output
    finally:
        running.kill()


def answering(project: Project, name: str, value: object) -> None:
    """Write a function that returns ``value``."""
    project.write(**{name: f"@defer\nasync def {name}():\n    return {value!r}\n"})


def save_by_rename(path: Path, text: str) -> None:
    """Save as most editors do: a temporary file beside it takes its name."""
    temporary = path.with_name(f".{path.name}.swp")
    temporary.write_text(text)
    os.replace(temporary, path)
