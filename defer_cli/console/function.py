"""The page of one function: its options, its last day, its last outcomes, its ticks, its newest executions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request

from defer_cli.console import values
from defer_cli.console.charts import KIND_WORDS, RANGES, chart
from defer_cli.console.overview import Waiting
from defer_cli.console.views import View
from defer_cli.console.words import Status
from defer_cli.domain.execution import to_moment
from defer_cli.domain.function import FunctionSpec
from defer_cli.domain.ids import tick_id
from defer_cli.domain.listing import in_words, next_fires
from defer_cli.domain.states import FINAL_STATES, State
from defer_cli.web.backend import Backend

_DOTS = 50
_NEWEST = 25
_FIRES = 10
_TICKS = 10
_FINAL = [str(state) for state in FINAL_STATES]
_HOUR_US = 3_600_000_000
_PARTS = {name: f"parts/function_{name}.html" for name in ("head", "numbers", "activity", "newest")}


class Ticks(NamedTuple):
    """A tick of a cron that was fired, or a span of those that were not."""

    standing: Status
    after_us: int
    """Of a span: the moment after which its ticks lie."""
    until_us: int
    reason: str
    execution: str
    """The id of what it ran, which may have been pruned; empty for a span."""


class FunctionPage:
    """Looks at one function, also at one that is gone and left executions."""

    def __init__(self, backend: Backend, mask: Sequence[str]) -> None:
        self._backend = backend
        self._mask = mask

    async def look(self, request: Request) -> View:
        """Return how a function is now; 404 when there is none and never was."""
        name = request.path_params["name"]
        backend = self._backend
        spec = backend.functions.get(name)
        now_us = backend.now_us()
        questions: list[tuple[str, Mapping[str, Any]]] = [
            ("counts", {}),
            ("waiting", {"now_us": now_us}),
            ("activity_of", {"function": name, "now_us": now_us}),
            ("executions", {"page": {"first": _DOTS}, "filters": {"functions": [name], "states": _FINAL}}),
            ("executions", {"page": {"first": _NEWEST}, "filters": {"functions": [name]}}),
            ("ticks", {"function": name, "limit": _TICKS}),
        ]
        states, waiting, activity, ended, newest, told = await backend.ask("several", questions=questions)
        if spec is None and name not in states:
            raise HTTPException(404, f"There is no function {name}, and no execution of one.")
        now = to_moment(now_us)
        counts = states.get(name, {})
        data: dict[str, Any] = {
            "name": name,
            "spec": spec,
            "signature": None if spec is None else signature(spec),
            "schedule_words": in_words(spec.schedule) if spec is not None and spec.schedule else "",
            "find_fires": partial(next_fires, now=now, count=_FIRES),
            "paused_since": told["paused_since"],
            "ticks": ticks_of(name, told),
            "running": counts.get(State.STARTED, 0) + counts.get(State.ABORTING, 0),
            "waiting": Waiting.of([waiting[name]] if name in waiting else []),
            "activity": activity,
            "chart": chart(_bars(activity["hours"], now_us), RANGES["24h"]),
            "range": RANGES["24h"],
            "kind_words": KIND_WORDS,
            "dots": ended["items"][::-1],
            "newest": await self._with_arguments(newest["items"]),
            "stored": sum(counts.values()),
            "now": now,
            "problems": [one for one in backend.problems if name == one.function or (spec and one.file == spec.file)],
        }
        parts = dict(_PARTS)
        if spec is not None and spec.kind == "cron":
            parts["ticks"] = "parts/function_ticks.html"
        return View(template="function.html", title=f"{name}()", section="functions", data=data, parts=parts)

    async def _with_arguments(self, items: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], str]]:
        ids = [one["id"] for one in items]
        stored = await self._backend.ask("previews", ids=ids, most=values.MOST_PREVIEWED) if ids else {}
        return list(zip(items, values.previews(items, stored, self._backend.functions, self._mask), strict=True))


def ticks_of(name: str, told: Mapping[str, Any]) -> list[Ticks]:
    """Return the newest ticks of a cron, those that were fired and those that were not, the newest first."""
    fired = [Ticks(Status("fired", "delayed"), at_us, at_us, "", tick_id(name, at_us)) for at_us in told["fired"]]
    looks = {"missed": Status("missed", "failed"), "skipped": Status("skipped", "paused")}
    spans = [
        Ticks(looks[gap["kind"]], gap["after"], gap["until"], gap["reason"], "")
        for gap in told["gaps"]
        if gap["kind"] in looks
    ]
    return sorted(fired + spans, key=lambda one: -one.until_us)[:_TICKS]


def signature(spec: FunctionSpec) -> str:
    """Return the parameters of a function as Python writes them, defaults as ``…``."""
    words: list[str] = []
    is_starred = False
    for place, one in enumerate(spec.parameters):
        if one.kind == "keyword_only" and not is_starred:
            words.append("*")
        is_starred |= one.kind in ("keyword_only", "var_positional")
        star = {"var_positional": "*", "var_keyword": "**"}.get(one.kind, "")
        words.append(f"{star}{one.name}{'=…' if one.has_default else ''}")
        follows = spec.parameters[place + 1].kind if place + 1 < len(spec.parameters) else None
        if one.kind == "positional_only" and follows != "positional_only":
            words.append("/")
    return f"({', '.join(words)})"


def _bars(hours: Sequence[Mapping[str, int]], now_us: int) -> list[Mapping[str, Any]]:
    """Return the hours of a day as bars; the last is the one that is going on."""
    first_us = now_us - now_us % _HOUR_US - (len(hours) - 1) * _HOUR_US
    return [{"at_us": first_us + place * _HOUR_US, "counts": counts} for place, counts in enumerate(hours)]
