"""The rows of v1."""

from __future__ import annotations

from defer_cli.api.bodies import CancellationBody, LegacyEnqueueBody, ScheduleBody
from defer_cli.api.openapi_parts.envelopes import LegacyExecution, LegacyId, LegacyTry, Nothing
from defer_cli.api.openapi_parts.executions import BY_ID, ID, TRACE
from defer_cli.api.openapi_parts.words import Operation, json_answer
from defer_cli.api.routes import V1

_CHANGES = (404, 409)

ROWS = (
    Operation(
        method="POST",
        path=f"{V1}/enqueue",
        name="enqueueV1",
        tag="v1",
        summary="Call a function",
        parameters=TRACE,
        body=LegacyEnqueueBody,
        is_body_required=True,
        examples={"now": {"name": "compute_product_recommendation", "arguments": [42]}},
        answers={201: json_answer("It is stored.", LegacyId, {"id": ID}, id_at="/id")},
        faults=(409,),
        is_deprecated=True,
    ),
    Operation(
        method="GET",
        path=f"{V1}/executions/{{id}}",
        name="getExecutionV1",
        tag="v1",
        summary="Look at an execution and at its result",
        parameters=(BY_ID,),
        answers={200: json_answer("The execution.", LegacyExecution, {"id": ID, "state": "succeed", "result": 12})},
        faults=(404,),
        is_deprecated=True,
    ),
    Operation(
        method="POST",
        path=f"{V1}/executions/{{id}}/cancel",
        name="cancelExecutionV1",
        tag="v1",
        summary="Cancel it, or abort it",
        parameters=(BY_ID,),
        body=CancellationBody,
        examples={"what waits": {}, "also what runs": {"force": True}},
        answers={
            200: json_answer("It is cancelled, or being aborted.", LegacyId, {"id": ID}),
            202: json_answer("It is being aborted already.", LegacyId, {"id": ID}),
        },
        faults=_CHANGES,
        is_deprecated=True,
    ),
    Operation(
        method="POST",
        path=f"{V1}/executions/{{id}}/reschedule",
        name="rescheduleExecutionV1",
        tag="v1",
        summary="Give it another time",
        parameters=(BY_ID,),
        body=ScheduleBody,
        examples={"now": {}, "in the new year": {"schedule_for": "2030-01-01T08:00:00Z"}},
        answers={200: json_answer("It has the new time.", Nothing)},
        faults=_CHANGES,
        is_deprecated=True,
    ),
    Operation(
        method="GET",
        path=f"{V1}/executions/{{id}}/tries",
        name="listTriesV1",
        tag="v1",
        summary="List the attempts of an execution",
        parameters=(BY_ID,),
        answers={200: json_answer("Its attempts, newest first.", list[LegacyTry])},
        faults=(404,),
        is_deprecated=True,
    ),
)
