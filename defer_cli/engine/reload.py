"""New code without a restart: a fresh inspector, then fresh workers; the newest save wins."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from defer_cli.discovery.discover import Discovery, discover_in_thread
from defer_cli.domain.function import FunctionSpec, Problem
from defer_cli.engine.events import Listener, Note, Reloaded
from defer_cli.engine.saves import saves
from defer_cli.workers.pool import Pool

_MOST_NAMED = 3


class Reload:
    """Takes what discovery found into the pool; a function whose file broke keeps its last good version."""

    def __init__(
        self,
        project: Path,
        folder: Path,
        pool: Pool,
        listener: Listener,
        on_exchange: Callable[[Mapping[str, FunctionSpec]], Awaitable[None]],
        on_problems: Callable[[tuple[Problem, ...]], None],
    ) -> None:
        self._project = project
        self._folder = folder
        self._pool = pool
        self._listener = listener
        self._on_exchange = on_exchange
        self._on_problems = on_problems
        self._found = Discovery()

    async def begin(self, found: Discovery) -> None:
        """Load what discovery found first."""
        self._found = found
        await self._exchange(found)

    async def watch(self) -> None:
        """Reload at every save of a Python file beside or below the defer folder, until cancelled."""
        async for changed in saves(self._project, self._folder, self._found):
            try:
                await self._reload(changed)
            except OSError as error:  # no room for another process, say: the next save tries again
                self._listener.tell(Note("error", "the reload failed, save again", {"error": str(error)}))

    async def _reload(self, changed: Sequence[str]) -> None:
        began = time.monotonic()
        before = self._pool.specs
        found, _ = await asyncio.gather(discover_in_thread(self._project, self._folder), self._pool.warm_up())
        if found.problems != self._found.problems:
            self._on_problems(found.problems)
        self._found = found
        await self._exchange(found)
        files = {Path(os.path.relpath(os.path.join(self._project, path), self._project)).as_posix() for path in changed}
        names = _some(sorted(Path(path).name for path in changed))
        seconds = time.monotonic() - began
        self._listener.tell(Reloaded(names, self._outcome(before, files), len(found.functions), seconds))

    def _outcome(self, before: Mapping[str, FunctionSpec], changed: set[str]) -> str:
        """Say what came of a reload, first of all for the functions of the files that changed."""
        good = {spec.name: spec.file for spec in self._found.functions}
        kept = sorted(set(self._pool.specs) - set(good))
        gone = sorted(set(before) - set(self._pool.specs))
        own = sorted(name for name, file in good.items() if file in changed)
        parts = [f"{_some(own)} reloaded"] if own else []
        parts += [f"{_some(gone)} gone, its calls wait" if len(gone) == 1 else f"{_some(gone)} gone"] if gone else []
        parts += [f"{_some(kept)} on the last good version"] if kept else []
        if good and not own and not gone and not any(self._pool.specs[name].file in changed for name in kept):
            parts.insert(0, f"{_count(len(good))} reloaded")
        return "; ".join(parts) or "no functions"

    async def _exchange(self, found: Discovery) -> None:
        broken = {problem.file for problem in found.problems if not problem.is_warning}
        keep = [name for name, spec in self._pool.specs.items() if spec.file in broken]
        failed = await self._pool.exchange(found.functions, keep=keep)
        for name, why in failed.items():
            fields: dict[str, object] = {"function": name, "reason": why}
            self._listener.tell(Note("error", "a function could not be imported in a worker", fields))
        await self._on_exchange(self._pool.specs)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    return shown if len(names) <= _MOST_NAMED else f"{shown} and {len(names) - _MOST_NAMED} more"


def _count(functions: int) -> str:
    return "1 function" if functions == 1 else f"{functions} functions"
