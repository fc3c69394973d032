"""The list of executions: what passes the filters, newest first, page by page."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from defer_cli.console import values
from defer_cli.console.filters import CHOICES, KEY, LIST, METADATA, Asked, Pair, address, read_filters
from defer_cli.console.pages import LIVE
from defer_cli.console.sweeps import Sweeps
from defer_cli.console.views import View
from defer_cli.console.words import Status, moment, status
from defer_cli.domain.errors import SettingError
from defer_cli.domain.execution import to_moment
from defer_cli.domain.paging import Page
from defer_cli.web.backend import Backend
from defer_cli.web.routes import Handler

SIZE = 50
_MOST_CHOICES = 500
_MOST_PROBLEMS = 5


class Row(NamedTuple):
    """An execution as the list shows it."""

    execution: Mapping[str, Any]
    standing: Status
    arguments: str


class Listed(NamedTuple):
    """A page of the list, and the ways on from it; None: there is none."""

    rows: Sequence[Row] = ()
    found: str = ""
    """How many there are in all, as far as that was counted."""
    newest: str | None = None
    newer: str | None = None
    older: str | None = None
    searched_to: datetime | None = None
    """How far was looked, where time ran out before the page was full."""
    search_on: str | None = None


class ExecutionsPage:
    """Looks at the executions that an address asks for."""

    def __init__(self, backend: Backend, mask: Sequence[str], sweeps: Sweeps) -> None:
        self._backend = backend
        self._mask = mask
        self._sweeps = sweeps

    async def look(self, request: Request) -> View:
        """Return the list as it is now; of an address that is wrong, what is wrong with it."""
        now = to_moment(self._backend.now_us())
        asked = read_filters(request.query_params.multi_items(), now)
        place = {name: request.query_params[name] for name in ("after", "before") if request.query_params.get(name)}
        problems = [*asked.problems, *_wrong(place)]
        listed = Listed() if problems else await self._list(asked, place, now)
        key = request.query_params.get(KEY, "")
        data: dict[str, Any] = {
            "asked": asked,
            "problems": problems[:_MOST_PROBLEMS],
            "listed": listed,
            "here": urlencode([*asked.pairs, *place.items()]),
            "choices": CHOICES,
            "key": key,
            "is_open": bool(key or problems) or request.query_params.get("focus") == "filter",
            "sweeps": self._sweeps.running,
            "is_narrowed": bool(asked.pairs),
        }
        if LIVE not in request.query_params:
            data |= await self._choices(key)
        return View(
            template="executions.html",
            title="Executions",
            section="executions",
            data=data,
            parts={
                "count": "parts/executions_count.html",
                "matching": "parts/executions_count.html",
                "sweeps": "parts/executions_sweeps.html",
                "rows": "parts/executions_rows.html",
                "pages": "parts/executions_pages.html",
            },
            is_at_rest=bool(problems),
            status=400 if problems else 200,
        )

    async def _list(self, asked: Asked, place: Mapping[str, str], now: datetime) -> Listed:
        ask, filters = self._backend.ask, asked.data()
        if "before" in place:
            page: Mapping[str, Any] = {"last": SIZE, "before": place["before"]}
        else:
            page = {"first": SIZE, "after": place.get("after")}
        found, counted = await asyncio.gather(
            ask("executions", page=page, filters=filters),
            ask("count", filters=filters),
        )
        if "before" in place and not found["page_info"]["has_prev_page"]:  # the newest are a page of their own
            place, page = {}, {"first": SIZE}
            found = await ask("executions", page=page, filters=filters)
        items, info = found["items"], found["page_info"]
        start, end = info["start_cursor"], info["end_cursor"]
        newer = _way(asked, "before", start) if place and info["has_prev_page"] else None
        older = _way(asked, "after", end) if info["has_next_page"] else None
        ahead = newer if "before" in place else older
        is_short = ahead is not None and len(items) < SIZE
        rows, searched_to = await asyncio.gather(
            self._rows(items, now), self._moment_at(place, start, end) if is_short else asyncio.sleep(0)
        )
        return Listed(
            rows=rows,
            found=counted_text(counted),
            newest=address(asked.pairs) if place else None,
            newer=newer,
            older=older,
            searched_to=searched_to,
            search_on=ahead,
        )

    async def _rows(self, items: Sequence[Mapping[str, Any]], now: datetime) -> list[Row]:
        ids = [one["id"] for one in items]
        stored = await self._backend.ask("previews", ids=ids, most=values.MOST_PREVIEWED) if ids else {}
        previews = values.previews(items, stored, self._backend.functions, self._mask)
        return [Row(one, status(one, now), preview) for one, preview in zip(items, previews, strict=True)]

    async def _moment_at(self, place: Mapping[str, str], start: str | None, end: str | None) -> datetime | None:
        """Return when the execution was made at which a search has stopped."""
        page = {"last": 1, "before": start} if "before" in place else {"first": 1, "after": end}
        found = await self._backend.ask("executions", page=page, filters={})
        return moment(found["items"][0]["created_at"]) if found["items"] else None

    async def _choices(self, key: str) -> Mapping[str, Any]:
        """Return what the filters may be chosen from."""
        ask = self._backend.ask
        counts, keys, seen = await asyncio.gather(
            ask("counts"),
            ask("metadata_keys", limit=_MOST_CHOICES),
            ask("metadata_values", key=key, limit=_MOST_CHOICES) if key else asyncio.sleep(0, []),
        )
        return {"functions": sorted({*self._backend.functions, *counts}), "keys": keys, "seen": seen}


def counted_text(counted: Mapping[str, Any]) -> str:
    """Return a count as far as it was counted."""
    return f"{counted['count']:,}{'+' if counted['is_more'] else ''}"


def tidy(page: Handler) -> Handler:
    """Lead a form's address, full of empty fields, to the one that says the same in short."""

    async def answer(request: Request) -> Response:
        given = request.query_params.multi_items()
        kept = [(name, value) for name, value in given if value and not _is_chosen(name, value, given)]
        if len(kept) < len(given) and LIVE not in request.query_params:
            return RedirectResponse(f"{LIST}?{urlencode(kept)}" if kept else LIST, 303)
        return await page(request)

    return answer


def _is_chosen(name: str, value: str, given: Sequence[Pair]) -> bool:
    """Whether this is the key of metadata whose value is there already."""
    return name == KEY and any(other == METADATA + value and one for other, one in given)


def _way(asked: Asked, name: str, cursor: str | None) -> str | None:
    return None if cursor is None else address([*asked.pairs, (name, cursor)])


def _wrong(place: Mapping[str, str]) -> list[str]:
    try:
        Page(after=place.get("after"), before=place.get("before"))
    except SettingError:
        return ["This address leads to no page of the list."]
    return []
