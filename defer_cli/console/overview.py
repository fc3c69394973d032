"""The first page: how the project is doing as a whole, what came of the last days, and what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from starlette.requests import Request

from defer_cli.console.charts import KIND_WORDS, RANGES, chart
from defer_cli.console.fires import Fires
from defer_cli.console.views import View
from defer_cli.domain.execution import to_moment
from defer_cli.domain.states import State
from defer_cli.web.backend import Backend

_FIRES = 10
_FAILING = 10
_DAY_HOURS = 24


class Waiting(NamedTuple):
    """How many executions wait, as far as that is known."""

    due: int
    later: int
    unsure: int

    @classmethod
    def of(cls, told: Iterable[Mapping[str, int]]) -> Waiting:
        """Return what some functions' executions come to together."""
        of_each = [(one["due"], one["later"], one["unsure"]) for one in told]
        return cls(*(sum(column) for column in zip(*of_each, strict=True))) if of_each else cls(0, 0, 0)


class OverviewPage:
    """Looks at everything at once, in a few short questions."""

    def __init__(self, backend: Backend, fires: Fires) -> None:
        self._backend = backend
        self._fires = fires

    async def look(self, request: Request) -> View:
        """Return how the project is doing now."""
        chosen = RANGES.get(request.query_params.get("range", ""), RANGES["24h"])
        backend = self._backend
        now_us = backend.now_us()
        now = to_moment(now_us)
        questions: list[tuple[str, Mapping[str, Any]]] = [
            ("counts", {}),
            ("waiting", {"now_us": now_us}),
            ("oldest_due", {"now_us": now_us}),
            ("outcomes", {"now_us": now_us, "hours": chosen.hours, "bars": chosen.bars}),
            ("outcomes", {"now_us": now_us, "hours": _DAY_HOURS, "bars": 1}),
            ("failing", {"now_us": now_us, "hours": chosen.hours, "limit": _FAILING}),
            ("paused", {}),
        ]
        counts, waiting, oldest_us, bars, day, failing, paused = await backend.ask("several", questions=questions)
        functions = backend.functions
        vitals = backend.vitals
        data: dict[str, Any] = {
            "range": chosen,
            "ranges": RANGES.values(),
            "running": sum(_running(states) for states in counts.values()),
            "waiting": Waiting.of(waiting.values()),
            "oldest": _worth_telling(oldest_us, now_us),
            "failed": sum(bar["counts"].get(State.FAILED, 0) for bar in day),
            "chart": chart(bars, chosen),
            "kind_words": KIND_WORDS,
            "failing": failing,
            "coming": partial(self._fires.coming, list(functions.values()), now, _FIRES, without=frozenset(paused)),
            "paused": paused,
            "has_functions": bool(functions),
            "example": min((name for name, spec in functions.items() if spec.kind == "function"), default=None),
            "has_executions": bool(counts),
            "problems": [problem for problem in backend.problems if not problem.is_warning],
            "workers": None if vitals is None else vitals.workers(),
            "slots": None if vitals is None else vitals.slots(),
            "sizes": None if vitals is None else vitals.sizes(),
            "retention": None if vitals is None else vitals.retention,
            "runner": "" if vitals is None else vitals.runner,
        }
        return View(
            template="overview.html",
            title="Overview",
            section="overview",
            data=data,
            parts={
                "numbers": "parts/overview_numbers.html",
                "outcomes": "parts/overview_outcomes.html",
                "failing": "parts/overview_failing.html",
                "coming": "parts/overview_coming.html",
                "runner": "parts/overview_runner.html",
            },
        )


def _running(states: Mapping[str, int]) -> int:
    return states.get(State.STARTED, 0) + states.get(State.ABORTING, 0)


def _worth_telling(oldest_us: int | None, now_us: int) -> int | None:
    """Return since when the oldest waits, to the second, where that is longer than a moment."""
    if oldest_us is None or now_us - oldest_us < 1_000_000:
        return None
    return oldest_us - oldest_us % 1_000_000
