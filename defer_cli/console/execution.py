"""The page of one execution: how it stands, its timeline, its log, what went in, what came out, what is left to do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request

from defer_cli.console import timeline, values
from defer_cli.console.views import View
from defer_cli.console.words import status
from defer_cli.domain.states import FINAL_STATES
from defer_cli.web.backend import Backend
from defer_cli.web.reading import Part, Reading

TABS = ("logs", "arguments", "outcome", "attempts", "children", "metadata")
_ATTEMPTS = 100
_CHILDREN = 25
_MOST_LINES = 1_000
_WHOLE_TRACEBACK = "\nThe whole traceback:\n"


class ExecutionPage:
    """Looks at one execution, or at one attempt of it."""

    def __init__(self, backend: Backend, mask: Sequence[str]) -> None:
        self._backend = backend
        self._mask = mask

    async def look(self, request: Request) -> View:
        """Return how it is now; raise ``ExecutionNotFound``."""
        id = request.path_params["id"]
        whole_id = id.partition(".")[0]
        ask = self._backend.ask
        found, stored, attempts, children = await asyncio.gather(
            ask("ending", id=id),
            ask("arguments", id=whole_id),
            ask("attempts", id=whole_id, page={"first": _ATTEMPTS}, filters={}),
            ask("children", id=whole_id),
        )
        now = datetime.now(UTC)
        error = _error(found, attempts["items"])
        tab = _tab(request, error)
        spec = self._backend.functions.get(found["function"])
        is_attempt = id != whole_id
        tried = [one for one in attempts["items"][::-1] if not is_attempt or one["id"] == id]
        data: dict[str, Any] = {
            "execution": found,
            "standing": status(found, now),
            "whole_id": whole_id,
            "is_attempt": is_attempt,
            "is_known": spec is not None,
            "tab": tab,
            "bars": timeline.bars(timeline.segments(found, tried, now)),
            "attempts": attempts["items"],
            "has_more_attempts": attempts["page_info"]["has_next_page"],
            "children": children,
            "error": error,
            "now": now,
            "trigger_line": values.trigger_line(found["function"], stored, spec, self._mask),
        }
        is_final = found["state"] in FINAL_STATES and not any(state not in FINAL_STATES for state in children)
        parts = {"head": "parts/execution_head.html", "timeline": "parts/timeline.html", "tabs": "parts/tabs.html"}
        reading = None
        if tab == "logs":
            reading, data["lines"], data["hidden_lines"] = await self._log(request, id)
        else:
            parts["tab"] = f"parts/tab_{tab}.html"
            await self._fill(tab, data, stored)
        return View(
            template="execution.html",
            title=f"{found['function']}() · {data['standing'].word}",
            section="executions",
            data=data,
            parts=parts,
            log=reading,
            is_at_rest=is_final,
        )

    async def _fill(self, tab: str, data: dict[str, Any], stored: str) -> None:
        """Add what a tab shows."""
        found = data["execution"]
        if tab == "arguments":
            spec = self._backend.functions.get(found["function"])
            data["values"] = values.arguments(stored, spec, self._mask)
        elif tab == "outcome":
            data["result"] = None if found["result"] is None else values.result(found["result"], self._mask)
        elif tab == "children":
            asked = await self._backend.ask(
                "executions", page={"first": _CHILDREN}, filters={"parent": data["whole_id"]}
            )
            data["listed"] = asked["items"]

    async def _log(self, request: Request, id: str) -> tuple[Reading, list[Part], int]:
        """Return the log as far as it goes, its last lines unless all are asked for, and how many are left out."""
        whole_id, _, number = id.partition(".")
        reading = Reading(self._backend, whole_id, int(number) if number else None)
        if "live" in request.query_params:  # who follows has what came before
            return reading, [], 0
        parts: list[Part] = []
        while news := await reading.news():
            parts += news
        if request.query_params.get("lines") == "all":
            return reading, parts, 0
        return reading, *_last(parts, _MOST_LINES)


def _last(parts: list[Part], most: int) -> tuple[list[Part], int]:
    """Return the last lines of a log, and how many come before them."""
    hidden = sum(len(lines) for _, _, lines in parts) - most
    if hidden <= 0:
        return parts, 0
    kept: list[Part] = []
    room = most
    for attempt, number, lines in reversed(parts):
        if room <= 0:
            break
        kept.append((attempt, number, lines[-room:]))
        room -= len(lines)
    return kept[::-1], hidden


def _tab(request: Request, error: Mapping[str, Any] | None) -> str:
    asked = request.query_params.get("tab", "")
    if asked in TABS:
        return asked
    return "logs" if error is None else "outcome"


def _error(found: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return what it failed with, or what it is tried again for; its own frames apart from the whole traceback."""
    error, attempt = (None if found["error"] is None else json.loads(found["error"])), None
    if error is None and found["state"] != "succeed":
        last = next((one for one in attempts if one["error"]), None)
        if last is not None:
            error, attempt = last["error"], last["number"]
    if error is None:
        return None
    own, _, rest = (error.get("traceback") or "").rstrip("\n").partition(_WHOLE_TRACEBACK)
    return {**error, "attempt": attempt, "own": own.rstrip("\n"), "rest": rest}
