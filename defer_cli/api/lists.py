"""Pages of executions and of attempts: what a request asks of a list, and the answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from defer_cli.api.bodies import FiltersBody, ListBody, MetadataBody, PageBody, SpanBody, decoded, misfit, read_all
from defer_cli.api.failures import Refusal
from defer_cli.api.shapes import attempt_object, execution_object, function_id, listing
from defer_cli.domain.errors import SettingError
from defer_cli.domain.execution import Attempt, Execution
from defer_cli.domain.paging import Filters, Interval, Page
from defer_cli.web.backend import Backend

_NO_FUNCTION = ""
_LISTED = ("states", "function_ids", "function_names", "error_codes", "came_from")
_SPANS = ("scheduled_at", "started_at")
_METADATA = "metadata."
_WHOLE = re.compile(r"-?[0-9]{1,9}")


async def executions(backend: Backend, request: Request) -> Response:
    """Return a page of executions, newest first."""
    body = await _asked(request)
    told = await backend.ask("executions", page=_page_of(body.page), filters=await _filters_of(backend, body.filters))
    return listing([execution_object(one) for one in told["items"]], told["page_info"])


async def attempts(backend: Backend, request: Request, id: str) -> Response:
    """Return a page of the attempts of an execution, newest first."""
    body = await _asked(request)
    filters = await _filters_of(backend, body.filters)
    told = await backend.ask("attempts", id=id, page=_page_of(body.page), filters=filters)
    whole = msgspec.convert(await backend.ask("execution", id=id), Execution)
    found = msgspec.convert(told["items"], list[Attempt])
    return listing([attempt_object(whole, one) for one in found], told["page_info"])


async def _asked(request: Request) -> ListBody:
    """Return what is asked for by the body, or by the query of a GET that has none."""
    body = await read_all(request)
    if request.method == "POST" or body:
        return decoded(body or b"{}", ListBody)
    return _read_query(request.query_params.multi_items())


def _read_query(items: Sequence[tuple[str, str]]) -> ListBody:
    """Return what a query asks for: ``states=failed&states=aborted&scheduled_at.from=…&metadata.user=12&first=10``."""
    page: dict[str, str | int] = {}
    filters: dict[str, Any] = {}
    metadata: dict[str, list[str]] = {}
    for name, value in items:
        span, _, end = name.partition(".")
        if name in PageBody.__struct_fields__:
            page[name] = int(value) if _WHOLE.fullmatch(value) else value
        elif name in _LISTED:
            filters.setdefault(name, []).append(value)
        elif span in _SPANS and end in ("from", "to"):
            filters.setdefault(span, {})[end] = value
        elif name in ("executed_by", "parent"):
            filters[name] = value
        elif name.startswith(_METADATA):
            metadata.setdefault(name.removeprefix(_METADATA), []).append(value)
    filters["metadata"] = [{"key": key, "values": values} for key, values in metadata.items()]
    try:
        return msgspec.convert({"page": page, "filters": filters}, ListBody)
    except msgspec.ValidationError as error:
        raise misfit(error) from None


def _page_of(body: PageBody | None) -> dict[str, Any]:
    page = {} if body is None else msgspec.structs.asdict(body)
    Page(**page)  # raises with the path of what is wrong
    return page


async def _filters_of(backend: Backend, body: FiltersBody | None) -> dict[str, Any]:
    """Return filters as they are asked for inside; raise ``SettingError`` with the path of what is wrong."""
    if body is None:
        return {}
    asked = dict[str, Any](
        states=[str(state) for state in body.states or ()],
        functions=await _functions_of(backend, body),
        error_codes=body.error_codes or [],
        scheduled_at=_interval_of(body.scheduled_at, "scheduled_at"),
        started_at=_interval_of(body.started_at, "started_at"),
        metadata=_metadata_of(body.metadata or ()),
        executed_by=body.executed_by,
        came_from=body.came_from or [],
        parent=body.parent,
    )
    try:
        filters: dict[str, Any] = msgspec.to_builtins(Filters(**asked))
    except SettingError as error:
        error.where = f"filters.{error.where}"
        raise
    return filters


async def _functions_of(backend: Backend, body: FiltersBody) -> list[str]:
    """Return the names that a list is narrowed to; where those that were asked for have none in common, no name."""
    names = body.function_names or []
    if not body.function_ids:
        return names
    known = {*backend.functions, *await backend.ask("counts")}
    by_id = {function_id(name): name for name in known}
    named = [by_id[id] for id in body.function_ids if id in by_id]
    return [name for name in named if not names or name in names] or [_NO_FUNCTION]


def _interval_of(body: SpanBody | None, name: str) -> Interval:
    if body is None:
        return Interval()
    try:
        return Interval(from_=body.from_, to=body.to)
    except OverflowError:  # so close to the year 0 or 10000 that it has no UTC
        raise Refusal(400, "a moment is out of range", where=f"filters.{name}") from None


def _metadata_of(pairs: Sequence[MetadataBody]) -> Mapping[str, Sequence[str]]:
    wanted: dict[str, list[str]] = {}
    for pair in pairs:
        wanted.setdefault(pair.key, []).extend(pair.values or ())
    return wanted
