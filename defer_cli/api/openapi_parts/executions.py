"""The rows of executions in v2: one at a time, and lists of them."""

from __future__ import annotations

from defer_cli.api.bodies import BatchBody, CancellationBody, EnqueueBody, RerunBody, ScheduleBody
from defer_cli.api.endings import EndingsBody
from defer_cli.api.openapi_parts.envelopes import (
    Anything,
    Arguments,
    BatchAnswer,
    BatchRefused,
    Ending,
    EndingsAnswer,
    Endless,
    ExecutionAnswer,
    Failure,
)
from defer_cli.api.openapi_parts.words import Answer, Operation, Parameter, json_answer
from defer_cli.api.routes import V2
from defer_cli.api.shapes import BatchStored

ID = "01kb5x3tq8e9pa2m7d4hs6vwzc"
BY_ID = Parameter(
    name="id",
    where="path",
    kind=str,
    description="Of an execution, or of one attempt: `<id>.<number>`.",
    example=ID,
)
TRACE = (
    Parameter(
        name="traceparent",
        where="header",
        kind=str,
        description="The span this request is part of (W3C Trace Context): those of the execution follow it.",
        example="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ),
    Parameter(name="tracestate", where="header", kind=str, description="What vendors add to it, up to 512 characters."),
)
_EXECUTION = {
    "data": {
        "id": ID,
        "state": "created",
        "function_name": "compute_product_recommendation",
        "function_id": "5ty2k3nq8x7d0w1v9r6m4h2b3c",
        "scheduled_at": "2026-11-23T19:11:34.555000Z",
        "created_at": "2026-11-23T19:11:34.555000Z",
        "updated_at": "2026-11-23T19:11:34.555000Z",
        "attempt": 0,
        "started_at": None,
        "finished_at": None,
        "discard_after": None,
        "metadata": {"user": "12"},
        "came_from": "call",
        "parent": None,
        "rerun_of": None,
        "executed_by": None,
        "charged": 0,
        "losses": 0,
        "is_isolated": False,
        "error_code": None,
    }
}
_STATE = {"Defer-State": "The state it is in."}
_CHANGES = (404, 409)

ROWS = (
    Operation(
        method="PUT",
        path=f"{V2}/executions",
        name="enqueueExecution",
        tag="executions",
        summary="Call a function",
        description="Answered once the call is on disk. The same `id` or `key` twice is one execution.",
        parameters=TRACE,
        body=EnqueueBody,
        is_body_required=True,
        examples={
            "now": {"function_name": "compute_product_recommendation", "function_arguments": [42]},
            "later": {
                "function_name": "computeProductRecommendation",
                "function_arguments": [42],
                "schedule_for": "2030-01-01T08:00:00Z",
                "discard_after": "2030-01-01T09:00:00Z",
                "metadata": {"user": "12"},
            },
        },
        answers={201: json_answer("It is stored.", ExecutionAnswer, _EXECUTION, id_at="/data/id")},
        faults=(409,),
    ),
    Operation(
        method="POST",
        path=f"{V2}/executions/batch",
        name="enqueueExecutions",
        tag="executions",
        summary="Call functions many times",
        description="All are stored in one transaction. A call that cannot be taken is refused alone.",
        parameters=TRACE,
        body=BatchBody,
        is_body_required=True,
        examples={
            "two": {
                "executions": [
                    {"function_name": "compute_product_recommendation", "function_arguments": [42]},
                    {"function_name": "compute_product_recommendation", "function_arguments": [43]},
                ]
            }
        },
        answers={
            200: json_answer(
                "What became of each, in their order.",
                BatchAnswer,
                parts=(BatchStored, BatchRefused),
                id_at="/data/0/id",
            )
        },
    ),
    Operation(
        method="POST",
        path=f"{V2}/executions/endings",
        name="awaitExecutions",
        tag="executions",
        summary="Wait for ends",
        description="Answered once one of them has ended, or `wait` seconds are over. What is not told comes later.",
        body=EndingsBody,
        is_body_required=True,
        examples={"one": {"ids": [ID], "wait": 1}},
        answers={200: json_answer("Those that have ended.", EndingsAnswer, parts=(Ending, Endless))},
    ),
    Operation(
        method="GET",
        path=f"{V2}/executions/{{id}}",
        name="getExecution",
        tag="executions",
        summary="Look at an execution",
        parameters=(BY_ID,),
        answers={200: json_answer("The execution as it is now.", ExecutionAnswer, _EXECUTION)},
        faults=(404,),
    ),
    Operation(
        method="GET",
        path=f"{V2}/executions/{{id}}/results",
        name="getExecutionResult",
        tag="executions",
        summary="Fetch what it returned",
        description="The bare result, in no envelope; of one that failed it is an object with `message` and `stack`.",
        parameters=(BY_ID,),
        answers={
            200: json_answer("What the function returned, or what it raised.", Anything, {"total": 12}, headers=_STATE),
            202: json_answer("It has not ended: there is none yet.", Failure),
            204: Answer(description="It was cancelled, aborted or discarded: it never will have one.", headers=_STATE),
        },
        faults=(404,),
    ),
    Operation(
        method="GET",
        path=f"{V2}/executions/{{id}}/arguments",
        name="getExecutionArguments",
        tag="executions",
        summary="Fetch what it was called with",
        description="The bare array, in no envelope; where some were named, an object of both kinds.",
        parameters=(BY_ID,),
        answers={200: json_answer("The arguments.", Arguments, [42])},
        faults=(404,),
    ),
    Operation(
        method="POST",
        path=f"{V2}/executions/{{id}}/cancellation",
        name="cancelExecution",
        tag="executions",
        summary="Cancel it, or abort it",
        description="What waits is cancelled at once. What runs is aborted when `force` is true: soon, not at once.",
        parameters=(BY_ID,),
        body=CancellationBody,
        examples={"what waits": {"force": False}, "also what runs": {"force": True}},
        answers={
            200: json_answer("It is cancelled, or being aborted.", ExecutionAnswer),
            202: json_answer("It is being aborted already.", Failure),
        },
        faults=_CHANGES,
    ),
    Operation(
        method="PATCH",
        path=f"{V2}/executions/{{id}}/schedule",
        name="rescheduleExecution",
        tag="executions",
        summary="Give it another time",
        description="Only what waits has one. Nothing means now; `discard_after` stays as it is.",
        parameters=(BY_ID,),
        body=ScheduleBody,
        examples={"now": {}, "in the new year": {"schedule_for": "2030-01-01T08:00:00Z"}},
        answers={200: json_answer("It has the new time.", ExecutionAnswer)},
        faults=_CHANGES,
    ),
    Operation(
        method="POST",
        path=f"{V2}/executions/{{id}}/reruns",
        name="rerunExecution",
        tag="executions",
        summary="Run it once more",
        description="A new execution of the same function with the same arguments and metadata, from any state.",
        parameters=(BY_ID,),
        body=RerunBody,
        examples={"once more": {}},
        answers={200: json_answer("The new execution.", ExecutionAnswer, id_at="/data/id")},
        faults=_CHANGES,
    ),
)
