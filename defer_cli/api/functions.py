"""`/public/v2/functions`: what can be called, and when crons fire next."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from defer_cli.api.failures import Refusal
from defer_cli.api.routes import V2
from defer_cli.api.shapes import data, execution_object, function_id
from defer_cli.domain.execution import to_moment
from defer_cli.domain.function import FunctionSpec
from defer_cli.domain.listing import function_data, next_fires
from defer_cli.web.backend import Backend
from defer_cli.web.routes import at

MOST_FIRES = 100
_A_TURN = 10
"""Fires of a turn of the loop: one takes up to 0.4 ms to find."""


def functions_routes(backend: Backend) -> Iterable[BaseRoute]:
    """Return the route of the functions."""

    async def get(request: Request) -> Response:
        """Return every function, by name, as `defer list --json` does, with the id it has in this API."""
        count = _count(request.query_params.get("next", "1"))
        last = await backend.ask("last_executions")
        paused = await backend.ask("paused")
        now = to_moment(backend.now_us())
        told = []
        found = 0
        for name, spec in sorted(backend.functions.items()):
            fires = [] if name in paused else next_fires(spec, now, count)
            told.append(_function_object(spec, fires, last.get(name), paused.get(name)))
            found += len(fires)
            if found >= _A_TURN:
                found = 0
                await asyncio.sleep(0)
        return data(told)

    return (at(f"{V2}/functions", GET=get),)


def _count(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= MOST_FIRES:
        return int(text)
    raise Refusal(400, f"it is no number from 1 to {MOST_FIRES}", where="next")


def _function_object(
    spec: FunctionSpec, fires: list[datetime], last: Mapping[str, Any] | None, paused_us: int | None
) -> dict[str, Any]:
    told = function_data(spec, fires, None, paused_us=paused_us)
    shown = None if last is None else execution_object(last)
    return {"name": told["name"], "function_id": function_id(spec.name), **told, "last": shown}
