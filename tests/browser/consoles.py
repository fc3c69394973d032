"""A console to browse: a real runner in a project of its own, and a caller at its socket."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.acceptance.developing import dev
from tests.process.harness import Project, Runner, until

_OPTIONS = ("--workers", "1", "--slots", "50")


class Console:
    """Where the console of a runner is, and how executions come to be."""

    def __init__(self, project: Project, runner: Runner) -> None:
        self.project = project
        self.runner = runner
        said = re.search(r"http://\S+:\d+", runner.until_line("http://"))
        assert said is not None
        self.url = said.group()
        self._client = runner.client()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def call(self, function: str, *arguments: object, **fields: Any) -> str:
        """Enqueue one call; return its id."""
        return self._client.call(function, *arguments, **fields)

    def calls(self, function: str, count: int, **fields: Any) -> list[str]:
        """Enqueue ``count`` calls with one argument; return their ids."""
        return self._client.calls(function, [[f"number {number}"] for number in range(count)], **fields)

    def run(self, function: str, *arguments: object, **fields: Any) -> str:
        """Enqueue one call and wait for its end; return its id."""
        return self._client.run(function, *arguments, **fields)

    def run_with(self, function: str, arguments: object, **fields: Any) -> str:
        """Enqueue one call with arguments in their stored form, and wait for its end; return its id."""
        (id,) = self._client.calls(function, [arguments], **fields)  # type: ignore[list-item]
        self.end_of(id)
        return id

    def end_of(self, id: str) -> str:
        """Wait for the end of an execution; return its state."""
        return self._client.wait(id)

    def running(self, function: str, *arguments: object, **fields: Any) -> str:
        """Enqueue one call and wait until it runs; return its id."""
        id = self.call(function, *arguments, **fields)
        until(lambda: self.state(id) == "started", f"{function} runs")
        return id

    def state(self, id: str) -> str:
        return str(self.project.get(id).state)

    def ask(self, name: str, **parameters: Any) -> Any:
        return self._client.ask(name, **parameters)

    def close(self) -> None:
        self._client.__exit__(None, None, None)


@contextmanager
def developing(project: Project) -> Iterator[Console]:
    """Keep `defer dev` alive for the block, problems of the project or not, and give its console."""
    with dev(project, "--port", "0", "--slots", "50") as runner:
        console = Console(project, runner)
        try:
            yield console
        finally:
            console.close()


@contextmanager
def serving(project: Project, *options: str) -> Iterator[Console]:
    """Run a runner for the block, and give its console; a later ``--port`` goes before the port of the system."""
    with project.run("--port", "0", *_OPTIONS, *options) as runner:
        console = Console(project, runner)
        try:
            yield console
        finally:
            console.close()


def sources(text: str) -> dict[str, str]:
    """Return the functions of a text by name: each begins with its decorator."""
    pieces = textwrap.dedent(text).split("@defer")[1:]
    return {piece.partition("async def ")[2].partition("(")[0]: f"@defer{piece}" for piece in pieces}
