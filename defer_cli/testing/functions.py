"""The functions a sandbox knows: those that were called in it, as this process has defined them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from defer_cli.definitions import Definition, definitions
from defer_cli.domain.errors import CallRefused
from defer_cli.domain.function import FunctionSpec
from defer_cli.workers.pool import Crew
from defer_cli.workers.process import WorkerProcess


class Functions:
    """A pool as the dispatcher sees it: one crew, whose worker is there while the sandbox is drained."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self._known: dict[str, Definition] = {}
        self.by_number: dict[int, Callable[..., Any]] = {}
        self.names: dict[int, str] = {}
        self.crew = Crew((), project=project, folder=project)

    # Any thread.

    def look_up(self, names: Collection[str], file: str) -> list[Definition]:
        """Return what is not known yet of the functions called ``names`` that are defined in ``file``, the newest.

        Raises ``CallRefused`` for a function whose name belongs to one of another file.
        """
        found = {one.name: one for one in definitions() if one.name in names and one.file == file}
        return [definition for definition in found.values() if self._is_new(definition)]

    def look_up_one(self, definition: Definition) -> list[Definition]:
        """Return ``definition`` in a list unless it is known; raise ``CallRefused`` as ``look_up``."""
        return [definition] if self._is_new(definition) else []

    def plain(self, name: str) -> Callable[..., Any]:
        """Return the plain function."""
        return self._known[name].fn

    def _is_new(self, definition: Definition) -> bool:
        earlier = self._known.get(definition.name)
        if earlier is not None and earlier.file != definition.file:
            raise CallRefused(
                f"two functions are called {definition.name}: "
                f"{earlier.file}:{earlier.line} and {definition.file}:{definition.line}",
                mend="names are unique in a project: call them in tests of their own",
            )
        self._known[definition.name] = definition
        return earlier is not definition

    # The runner's thread.

    def add(self, definition: Definition) -> None:
        """Run this function from now on under its name."""
        spec = FunctionSpec(
            name=definition.name,
            kind=definition.kind,
            module=definition.fn.__module__,
            file=definition.file,
            line=definition.line,
            options=definition.options,
            schedule=definition.schedule,
        )
        workers = self.crew.workers
        specs = self.crew.specs | {spec.name: spec}  # in the old order: numbers stay
        self.crew = Crew(list(specs.values()), project=self._project, folder=self._project)
        self.crew.workers = workers
        number = self.crew.numbers[spec.name]
        self.by_number[number], self.names[number] = definition.fn, spec.name

    @property
    def specs(self) -> dict[str, FunctionSpec]:
        """Every function, by name."""
        return self.crew.specs

    def route(self, function: str) -> Crew | None:
        """Return the crew that runs a function."""
        return self.crew if function in self.crew.specs else None

    def leave_if_done(self, worker: WorkerProcess) -> None:
        """Keep the worker: it leaves when the drain is over."""
