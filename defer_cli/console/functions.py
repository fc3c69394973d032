"""The list of functions: what each has done in a day, what it does now, when it fires next, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
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
_NEVER = datetime.max.replace(tzinfo=UTC)
NOTHING: Mapping[str, Any] = {"hours": [], "succeed": 0, "failed": 0, "median_us": None, "p95_us": None}
"""The activity of a function of which nothing ended for a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A function as the list shows it; what is costly is found when it is shown."""

    name: str
    spec: FunctionSpec | None
    """None: it is gone, and executions of it are left."""
    is_paused: bool
    running: int
    waiting: Waiting
    activity: Mapping[str, Any]
    find_fire: Callable[[FunctionSpec], datetime | None]

    @property
    def next_fire(self) -> datetime | None:
        """When it fires next."""
        return None if self.spec is None or self.is_paused else self.find_fire(self.spec)

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
    "next": lambda row: row.next_fire or _NEVER,
}
"""What the list may be ordered by; those that are alike are in the order of their names."""


class Listed(NamedTuple):
    """A page of the list."""

    rows: Sequence[Row]
    found: int
    page: int
    pages: int


class FunctionsPage:
    """Looks at all functions; draws those of one page."""

    def __init__(self, backend: Backend, fires: Fires) -> None:
        self._backend = backend
        self._fires = fires

    async def look(self, request: Request) -> View:
        """Return the functions that the address asks for."""
        backend = self._backend
        now_us = backend.now_us()
        questions: list[tuple[str, Mapping[str, Any]]] = [
            ("counts", {}),
            ("waiting", {"now_us": now_us}),
            ("activity", {"now_us": now_us}),
            ("paused", {}),
        ]
        counts, waiting, activity, paused = await backend.ask("several", questions=questions)
        specs = dict(backend.functions)
        find_fire = partial(self._fires.next, now=to_moment(now_us))

        def row(name: str) -> Row:
            states = counts.get(name, {})
            return Row(
                name=name,
                spec=specs.get(name),
                is_paused=name in paused,
                running=states.get(State.STARTED, 0) + states.get(State.ABORTING, 0),
                waiting=Waiting.of([waiting[name]] if name in waiting else []),
                activity=activity.get(name, NOTHING),
                find_fire=find_fire,
            )

        names = sorted({*specs, *counts})
        wanted, sort, page = _asked(request.query_params)
        data: dict[str, Any] = {
            "listed": partial(_listed, names, row, wanted=wanted, sort=sort, page=page),
            "known": len(names),
            "wanted": wanted,
            "sort": sort,
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


def _listed(names: Sequence[str], row: Callable[[str], Row], *, wanted: str, sort: str, page: int) -> Listed:
    """Return the page that is asked for; called while it is drawn, in a thread."""
    found = sorted([row(name) for name in names if wanted.lower() in name.lower()], key=SORTS[sort])
    pages = max(-(-len(found) // PAGE_SIZE), 1)
    page = min(page, pages)
    return Listed(found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE], len(found), page, pages)


def _asked(query: Mapping[str, str]) -> tuple[str, str, int]:
    """Return the part of a name, the order and the page that an address asks for; what makes no sense is left out."""
    sort, page = query.get("sort", ""), query.get("page", "")
    return (
        query.get("q", "").strip(),
        sort if sort in SORTS else "name",
        max(int(page), 1) if page.isascii() and page.isdecimal() and len(page) < 6 else 1,
    )


def _address(wanted: str = "", sort: str = "name", page: int = 1) -> str:
    """Return the address of a list; what is usual is left out of it."""
    fields = {"q": wanted, "sort": "" if sort == "name" else sort, "page": "" if page == 1 else str(page)}
    query = urlencode({name: value for name, value in fields.items() if value})
    return f"/functions?{query}" if query else "/functions"
