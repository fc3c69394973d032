"""What the API asks of the runner it is part of: one narrow way in, the same meaning as over the socket."""

from __future__ import annotations

from asyncio import Semaphore
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from defer_cli.changes import CHANGES
from defer_cli.domain.enqueue import Enqueue, Refused, Stored
from defer_cli.domain.function import FunctionSpec, Problem
from defer_cli.engine.vitals import Vitals
from defer_cli.link.frames import Ended, Failure
from defer_cli.web.open_streams import OpenStreams

Ask = Callable[[str, Mapping[str, Any]], Awaitable[Any]]
Endings = Callable[[Sequence[str], float], Awaitable[list[Ended | Failure] | None]]
Insert = Callable[[Sequence[Enqueue]], Awaitable[list[Stored | Refused]]]

MOST_ANSWERING = 3
"""Questions that are answered at once: there is one thread to read, and an answer may have megabytes."""


class Backend:
    """Questions, changes and calls of a runner; ``functions`` are those its workers have now."""

    def __init__(
        self,
        *,
        ask: Ask,
        insert: Insert,
        functions: Callable[[], Mapping[str, FunctionSpec]],
        clock: Callable[[], int],
        why_not_healthy: Callable[[], str | None],
        endings: Endings | None = None,
        vitals: Vitals | None = None,
        project: str = "",
        problems: Callable[[], Sequence[Problem]] = tuple,
    ) -> None:
        self._ask = ask
        self.insert = insert
        self._endings = endings
        self._functions = functions
        self.now_us = clock
        self.why_not_healthy = why_not_healthy
        self.vitals = vitals
        self.project = project
        """The name that pages call it by: its folder's."""
        self._problems = problems
        self._answering = Semaphore(MOST_ANSWERING)
        self.streams = OpenStreams()

    @property
    def functions(self) -> Mapping[str, FunctionSpec]:
        """The functions that can run, by name."""
        return self._functions()

    @property
    def problems(self) -> Sequence[Problem]:
        """What the last look at the folder found wrong, and its warnings."""
        return self._problems()

    async def endings(self, ids: Sequence[str], seconds: float) -> list[Ended | Failure] | None:
        """Return the ends of those that have ended, once there is one or the time is over; None: nobody tells them."""
        return None if self._endings is None else await self._endings(ids, seconds)

    async def ask(self, name: str, **parameters: Any) -> Any:
        """Answer a question of ``reports``, or make a change of ``changes``; raise ``DeferError``."""
        if name in CHANGES:
            return await self._ask(name, parameters)
        async with self._answering:
            return await self._ask(name, parameters)
