"""A page that stays open: its parts drawn anew when something has changed, its log line by line; one stream a tab."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Mapping
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from defer_cli.console.pages import LIVE, SEEN, Pages, seen_text
from defer_cli.console.views import Look, View
from defer_cli.domain.errors import DeferError
from defer_cli.web.answers import failure
from defer_cli.web.backend import Backend
from defer_cli.web.event_streams import KEEP_ALIVE, KEEP_ALIVE_SECONDS, EventStream, Say, event

_LOOK_SECONDS = 0.25
_AT_MOST_EVERY_SECONDS = 1.0
_AT_LEAST_EVERY_SECONDS = 5.0
"""Time passes where nothing is written: a delay ends, a bar of what runs grows."""
_LATE_SECONDS = 1.0  # an outcome is written before the last lines of its log
_SEEN = re.compile(r"\d{1,9}:\d{1,9}(?:,\d{1,9}:\d{1,9}){0,999}", re.ASCII)


class Live:
    """Looks again at most once a second for each open page, and only while the store is written."""

    def __init__(self, backend: Backend, pages: Pages) -> None:
        self._backend = backend
        self._pages = pages

    async def answer(self, request: Request, look: Look) -> Response:
        """Return the events of a page."""
        if self._backend.streams.is_full:
            return failure(503, "too many event streams are open", headers={"retry-after": "5"})
        view = await look(request)
        return EventStream(self._backend.streams, lambda say: self._tell(say, request, look, view))

    async def _tell(self, say: Say, request: Request, look: Look, view: View) -> None:
        clock = asyncio.get_running_loop().time
        digest, seen = _place_of(request)
        if view.log is not None:
            view.log.seen = dict(seen)
        sent: Mapping[str, str] = {}
        said_at = clock()
        while True:
            commits, looked_at = self._commits(), clock()
            parts, now = await self._pages.parts(view)
            lines = [] if view.log is None else await view.log.news()
            if now != digest or lines:
                digest = now
                told = {
                    "parts": {id: html for id, html in parts.items() if sent.get(id) != html},
                    "log": self._pages.log(lines) if lines else "",
                }
                await say(event("look", _place(digest, view), told))
                said_at = clock()
            sent = parts
            if view.is_at_rest and not lines and clock() - said_at >= _LATE_SECONDS:
                await say(event("rest", _place(digest, view), {}))
                return
            while not self._is_due(clock() - looked_at, commits, has_more=bool(lines)):
                if clock() - said_at >= KEEP_ALIVE_SECONDS:
                    await say(KEEP_ALIVE)
                    said_at = clock()
                await asyncio.sleep(_LOOK_SECONDS * random.uniform(0.5, 1.5))  # or all tabs would look at once
            view = await self._look_again(request, look, view)

    def _is_due(self, seconds: float, commits: int, *, has_more: bool) -> bool:
        if has_more:
            return True
        return seconds >= (_AT_MOST_EVERY_SECONDS if self._commits() != commits else _AT_LEAST_EVERY_SECONDS)

    def _commits(self) -> int:
        vitals = self._backend.vitals
        return 0 if vitals is None else vitals.commits

    async def _look_again(self, request: Request, look: Look, before: View) -> View:
        """Return the view as it is now; where the store does not answer, or what was shown is gone, as it was."""
        try:
            view = await look(request)
        except DeferError:
            return before
        return view if before.log is None else replace(view, log=before.log)


def _place_of(request: Request) -> tuple[str, dict[int, int]]:
    """Return what a tab shows: as its page was drawn, or as the last event left it before the connection was lost."""
    last = request.headers.get("last-event-id")
    digest, seen = request.query_params.get(LIVE, ""), request.query_params.get(SEEN, "")
    if last is not None:
        digest, _, seen = last.partition("~")
    if not _SEEN.fullmatch(seen):
        return digest, {}
    return digest, {int(attempt): int(part) for attempt, _, part in (one.partition(":") for one in seen.split(","))}


def _place(digest: str, view: View) -> str:
    return digest if view.log is None else f"{digest}~{seen_text(view.log.seen)}"
