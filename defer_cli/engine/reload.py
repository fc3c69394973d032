"""New code without a restart: a fresh inspector, then fresh workers; the newest save wins."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from defer_cli.discovery.discover import Discovery, discover
from defer_cli.domain.duration import in_words
from defer_cli.domain.function import FunctionSpec, Problem
from defer_cli.engine.events import Listener, Note
from defer_cli.workers.pool import Pool

_MOST_NAMED = 3
_STEP_MILLISECONDS = 20
_DEBOUNCE_MILLISECONDS = 60
"""An editor writes a file in several steps; a save is over when none came for this long."""


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
        self._shown: tuple[Problem, ...] = ()

    async def begin(self, found: Discovery) -> None:
        """Load what discovery found first."""
        self._shown = found.problems
        await self._exchange(found)

    async def watch(self) -> None:
        """Reload at every save of a Python file beside or below the defer folder, until cancelled."""
        from watchfiles import PythonFilter, awatch

        async for changes in awatch(
            self._folder.parent,
            watch_filter=PythonFilter(),
            step=_STEP_MILLISECONDS,
            debounce=_DEBOUNCE_MILLISECONDS,
        ):
            await self._reload(sorted({Path(path).name for _, path in changes}))

    async def _reload(self, changed: list[str]) -> None:
        began = time.monotonic()
        before = self._pool.specs
        found, _ = await asyncio.gather(asyncio.to_thread(discover, self._project, self._folder), self._pool.warm_up())
        if found.problems != self._shown:
            self._shown = found.problems
            self._on_problems(found.problems)
        names = await self._exchange(found)
        reloaded = [spec.name for spec in found.functions if Path(spec.file).name in changed]
        kept = sorted(set(before) & set(self._pool.specs) - set(names))
        message = f"changed {_some(changed)} → {_some(reloaded) if reloaded else _count(len(names))} reloaded"
        message += f" ({in_words(_since(began))})"
        if kept:
            message += f"; on their last good version: {_some(kept)}"
        self._listener.tell(Note("info", message, {"changed": ",".join(changed), "functions": len(names)}))

    async def _exchange(self, found: Discovery) -> list[str]:
        broken = {problem.file for problem in found.problems if not problem.is_warning}
        keep = [name for name, spec in self._pool.specs.items() if spec.file in broken]
        failed = await self._pool.exchange(found.functions, keep=keep)
        for name, why in failed.items():
            self._listener.tell(Note("error", f"{name} could not be imported in a worker", {"reason": why}))
        await self._on_exchange(self._pool.specs)
        return [spec.name for spec in found.functions]


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    return shown if len(names) <= _MOST_NAMED else f"{shown} and {len(names) - _MOST_NAMED} more"


def _count(functions: int) -> str:
    return "1 function" if functions == 1 else f"{functions} functions"


def _since(began: float) -> timedelta:
    return timedelta(seconds=time.monotonic() - began)
