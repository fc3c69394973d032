"""The list of functions: what each has done in a day, what it does now, when it fires next, and what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request

from defer_cli.console.charts import spark
from defer_cli.console.fires import Fires
from defer_cli.console.overview import Waiting
from defer_cli.console.views import View
from defer_cli.console.words import number
from defer_cli.domain.execution import to_moment
from defer_cli.domain.function import FunctionSpec
from defer_cli.domain.listing import in_words
from defer_cli.domain.states import State
from defer_cli.web.backend import Backend

PAGE_SIZE = 100
NOTHING: Mapping[str, Any] = {"hours": [], "succeed": 0, "failed": 0, "median_us": None, "p95_us": None}
"""The activity of a function of which nothing ended for a day."""


class Row(NamedTuple):
    """A function as the list shows it."""

    name: str
    spec: FunctionSpec | None
    """None: it is gone, and executions of it are left."""
    is_paused: bool
    next_fire: datetime | None
    running: int
    waiting: Waiting
    activity: Mapping[str, Any]

    @property
    def schedule_words(self) -> str:
        """When it fires, in words."""
        return in_words(self.spec.schedule) if self.spec is not None and self.spec.schedule else ""

    @property
    def paths(self) -> Sequence[tuple[str, str]]:
        """The bars of its day."""
        return spark(self.activity["hours"])

    @property
    def ended(self) -> int:
        """How many succeeded or failed in a day."""
        return int(self.activity["succeed"]) + int(self.activity["failed"])

    @property
    def busy(self) -> str:
        """What it runs and what waits, in a line."""
        counts = {"running": self.running, "queued": self.waiting.due, "delayed": self.waiting.later}
        return ", ".join(f"{number(count)} {word}" for word, count in counts.items() if count)


SORTS: Mapping[str, Callable[[Row], Any]] = {
    "name": lambda row: row.name,
    "running": lambda row: -row.running,
    "queued": lambda row: -row.waiting.due,
    "failures": lambda row: -row.activity["failed"],
    "duration": lambda row: -(row.activity["p95_us"] or 0),
    "next": lambda row: (row.next_fire is None, row.next_fire),
}
"""What the list may be ordered by; those that are alike are in the order of their names."""


class FunctionsPage:
    """Looks at all functions; draws those of one page."""

    def __init__(self, backend: Backend, fires: Fires) -> None:
        self._backend = backend
        self._fires = fires

    async def look(self, request: Request) -> View:
        """Return the functions that the address asks for."""
        backend = self._backend
        now_us = backend.now_us()
        counts, waiting, activity, paused = await asyncio.gather(
            backend.ask("counts"),
            backend.ask("waiting", now_us=now_us),
            backend.ask("activity", now_us=now_us),
            backend.ask("paused"),
        )
        asked = request.query_params
        wanted = asked.get("q", "").strip()
        sort = asked.get("sort", "") if asked.get("sort", "") in SORTS else "name"
        page = max(int(asked["page"]), 1) if asked.get("page", "").isdecimal() and len(asked["page"]) < 6 else 1

        def rows() -> list[Row]:
            specs = dict(backend.functions)
            found = [
                _row(name, specs.get(name), self._fires, now_us, counts, waiting, activity, paused)
                for name in sorted({*specs, *counts})
                if wanted.lower() in name.lower()
            ]
            return sorted(found, key=SORTS[sort])

        found = await asyncio.to_thread(rows)
        pages = max(-(-len(found) // PAGE_SIZE), 1)
        page = min(page, pages)
        shown = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
        data: dict[str, Any] = {
            "rows": shown,
            "found": len(found),
            "known": len({*backend.functions, *counts}),
            "wanted": wanted,
            "sort": sort,
            "page": page,
            "pages": pages,
            "here": _address(wanted, sort, page),
            "address": lambda **changed: _address(**{"wanted": wanted, "sort": sort, **changed}),
            "problems": sorted(backend.problems, key=lambda one: (one.is_warning, one.file, one.line or 0)),
        }
        return View(
            template="functions.html",
            title="Functions",
            section="functions",
            data=data,
            parts={"problems": "parts/problems.html", "rows": "parts/function_rows.html"},
        )


def _row(
    name: str,
    spec: FunctionSpec | None,
    fires: Fires,
    now_us: int,
    counts: Mapping[str, Mapping[str, int]],
    waiting: Mapping[str, Mapping[str, int]],
    activity: Mapping[str, Mapping[str, Any]],
    paused: Mapping[str, Any],
) -> Row:
    states = counts.get(name, {})
    is_paused = name in paused
    return Row(
        name=name,
        spec=spec,
        is_paused=is_paused,
        next_fire=None if spec is None or is_paused else fires.next(spec, to_moment(now_us)),
        running=states.get(State.STARTED, 0) + states.get(State.ABORTING, 0),
        waiting=Waiting.of([waiting[name]] if name in waiting else []),
        activity=activity.get(name, NOTHING),
    )


def _address(wanted: str = "", sort: str = "name", page: int = 1) -> str:
    """Return the address of a list; what is usual is left out of it."""
    fields = {"q": wanted, "sort": "" if sort == "name" else sort, "page": "" if page == 1 else str(page)}
    query = urlencode({name: value for name, value in fields.items() if value})
    return f"/functions?{query}" if query else "/functions"
