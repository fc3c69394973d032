"""The rows of lists: executions, and the attempts of one."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from defer_cli.api.bodies import ListBody
from defer_cli.api.fields import CameFrom, Cursor, Moment, Size
from defer_cli.api.openapi_parts.envelopes import AttemptsPage, ExecutionsPage
from defer_cli.api.openapi_parts.executions import BY_ID, ID
from defer_cli.api.openapi_parts.words import Operation, Parameter, json_answer
from defer_cli.api.routes import V2
from defer_cli.domain.states import State

_LISTING = (
    "Newest first: the `first` N after a cursor, or the `last` N before one; 50 by default, 500 at most. Values of one "
    "filter are alternatives, different filters must all hold, and both ends of a span belong to it."
)
_EXAMPLES = {
    "the newest": {},
    "the next page": {"page": {"first": 100, "after": "c1f"}},
    "what failed that night": {
        "filters": {
            "states": ["failed"],
            "started_at": {"from": "2026-11-23T22:00:00Z", "to": "2026-11-24T06:00:00Z"},
            "metadata": [{"key": "user", "values": ["12", "13"]}],
        }
    },
}
_OF_ATTEMPTS = {"the newest": {}, "those that failed": {"filters": {"states": ["failed"]}}}
_WITH_PREFIX = {"patternProperties": {"^metadata\\..": {"type": "string"}}, "additionalProperties": False}


def _in_query(name: str, kind: Any, description: str, example: Any = None) -> Parameter:
    return Parameter(name=name, where="query", kind=kind, description=description, example=example)


_QUERY = (
    _in_query("first", Size, "How many, from the newest or from after `after`.", 10),
    _in_query("after", Cursor, "The `end_cursor` of a page."),
    _in_query("last", Size, "How many, from the oldest or from before `before`."),
    _in_query("before", Cursor, "The `start_cursor` of a page."),
    _in_query("states", list[State], "One or more.", ["failed", "aborted"]),
    _in_query("function_names", list[str], "One or more."),
    _in_query("function_ids", list[str], "One or more."),
    _in_query("error_codes", list[str], "One or more.", ["ER0001"]),
    _in_query("came_from", list[CameFrom], "One or more."),
    _in_query("scheduled_at.from", Moment, "Not earlier."),
    _in_query("scheduled_at.to", Moment, "Not later."),
    _in_query("started_at.from", Moment, "Not earlier.", "2026-11-23T22:00:00Z"),
    _in_query("started_at.to", Moment, "Not later.", "2026-11-24T06:00:00Z"),
    _in_query("executed_by", str, "The runner."),
    _in_query("parent", str, "The execution that called it.", ID),
    _in_query(
        "metadata",
        Annotated[dict[str, str], Meta(extra_json_schema=_WITH_PREFIX)],
        "`metadata.<key>=<value>`, as often as you like.",
        {"metadata.user": "12"},
    ),
)

ROWS = (
    Operation(
        method="POST",
        path=f"{V2}/executions",
        name="listExecutions",
        tag="executions",
        summary="List executions",
        description=_LISTING,
        body=ListBody,
        examples=_EXAMPLES,
        answers={200: json_answer("A page.", ExecutionsPage)},
    ),
    Operation(
        method="GET",
        path=f"{V2}/executions",
        name="findExecutions",
        tag="executions",
        summary="List executions, asked for by a query",
        description=_LISTING,
        parameters=_QUERY,
        answers={200: json_answer("A page.", ExecutionsPage)},
    ),
    Operation(
        method="POST",
        path=f"{V2}/executions/{{id}}/attempts",
        name="listExecutionAttempts",
        tag="executions",
        summary="List the attempts of an execution",
        description=_LISTING,
        parameters=(BY_ID,),
        body=ListBody,
        examples=_OF_ATTEMPTS,
        answers={200: json_answer("A page of attempts, each as an execution.", AttemptsPage)},
        faults=(404,),
    ),
    Operation(
        method="GET",
        path=f"{V2}/executions/{{id}}/attempts",
        name="findExecutionAttempts",
        tag="executions",
        summary="List the attempts of an execution, asked for by a query",
        description=_LISTING,
        parameters=(BY_ID, *_QUERY),
        answers={200: json_answer("A page of attempts, each as an execution.", AttemptsPage)},
        faults=(404,),
    ),
)
