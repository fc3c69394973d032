"""The rows of what tells about the runner: logs, functions, health, metrics, and the document itself."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from defer_cli.api.functions import MOST_FIRES
from defer_cli.api.openapi_parts.envelopes import (
    Anything,
    FunctionsAnswer,
    Healthy,
    LogAnswer,
    Unhealthy,
)
from defer_cli.api.openapi_parts.executions import BY_ID
from defer_cli.api.openapi_parts.words import EVENTS, JSON, TEXT, Answer, Operation, Parameter, json_answer
from defer_cli.api.routes import V2

_TAG = {"ETag": "Changes when the document does."}
_FIRES = Annotated[int, Meta(ge=1, le=MOST_FIRES)]
_ATTEMPT = Annotated[int, Meta(ge=0, le=999_999_999)]

ROWS = (
    Operation(
        method="GET",
        path=f"{V2}/executions/{{id}}/logs",
        name="getExecutionLogs",
        tag="executions",
        summary="Read what it printed",
        description=(
            "As JSON; as lines of text with `Accept: text/plain`; with `follow` as server-sent events until it has "
            "ended: `log` events with an array of lines, then one `end` event."
        ),
        parameters=(
            BY_ID,
            Parameter(name="attempt", where="query", kind=_ATTEMPT, description="Of this attempt only.", example=1),
            Parameter(name="follow", where="query", kind=bool, description="Whether to wait for more.", example=False),
            Parameter(
                name="Last-Event-ID",
                where="header",
                kind=str,
                description="With `follow`: the id of the last event that was seen. The stream goes on after it.",
            ),
        ),
        answers={
            200: Answer(description="The log.", content={JSON: LogAnswer, TEXT: str, EVENTS: Anything}),
            204: Answer(description="`Last-Event-ID` is that of the end: there is nothing more."),
        },
        faults=(404,),
    ),
    Operation(
        method="GET",
        path=f"{V2}/functions",
        name="listFunctions",
        tag="functions",
        summary="List the functions",
        parameters=(
            Parameter(name="next", where="query", kind=_FIRES, description="How many fires to tell.", example=3),
        ),
        answers={200: json_answer("The functions that can run.", FunctionsAnswer)},
    ),
    Operation(
        method="GET",
        path="/health",
        name="getHealth",
        tag="runner",
        summary="Ask whether it takes calls",
        answers={
            200: json_answer("It does.", Healthy, {"status": "ok"}),
            503: json_answer("It does not: it is stopping, or the store takes nothing.", Unhealthy),
        },
    ),
    Operation(
        method="GET",
        path="/metrics",
        name="getMetrics",
        tag="runner",
        summary="Read its metrics",
        answers={200: Answer(description="In the text format of Prometheus.", content={TEXT: str})},
    ),
    Operation(
        method="GET",
        path="/openapi.json",
        name="getOpenApi",
        tag="runner",
        summary="Read this document",
        parameters=(
            Parameter(name="If-None-Match", where="header", kind=str, description="An `ETag` that is held already."),
        ),
        answers={
            200: Answer(description="This document.", content={JSON: Anything}, headers=_TAG),
            304: Answer(description="It is the one that is held.", headers=_TAG),
        },
    ),
)
