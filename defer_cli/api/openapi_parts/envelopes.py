"""What answers are wrapped in, as types; what is inside is in ``api/shapes.py``, which writes it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from defer_cli.api.lines import LineObject
from defer_cli.api.shapes import AttemptObject, ErrorObject, ExecutionObject, MomentText, PageInfoObject, StateText
from defer_cli.domain.function import AtLimit, Kind

Anything = Annotated[Any, Meta(description="Any JSON.")]


class ErrorDetail(Struct, kw_only=True):
    """What makes it the same error again in a client of Python."""

    kind: str
    problem: str
    where: str | UnsetType = UNSET
    mend: str | UnsetType = UNSET
    state: str | UnsetType = UNSET


class Failure(Struct, kw_only=True):
    """Why a request was not met."""

    error: Annotated[str, Meta(description="A word for programs.", examples=["bad_request"])]
    message: Annotated[str, Meta(description="What is wrong and how to mend it, for people.")]
    detail: ErrorDetail | UnsetType = UNSET


class BatchRefused(Struct, kw_only=True):
    """A call of a batch that was not stored; the others were."""

    id: str | None
    status: int
    error: str
    message: str
    detail: ErrorDetail


def _one_of(*names: str) -> Meta:
    return Meta(extra_json_schema={"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in names]})


class ExecutionAnswer(Struct):
    """An execution in its envelope."""

    data: ExecutionObject


class ExecutionsPage(Struct):
    """A page of executions, newest first."""

    data: list[ExecutionObject]
    page_info: PageInfoObject


class AttemptsPage(Struct):
    """A page of attempts, newest first."""

    data: list[AttemptObject]
    page_info: PageInfoObject


class BatchAnswer(Struct):
    """What became of each call, in the order of the calls."""

    data: list[Annotated[Any, _one_of("BatchStored", "BatchRefused")]]


class Ending(Struct, kw_only=True):
    """How an execution ended: its result, or what its function raised; neither where it never ran to its end."""

    id: str
    state: StateText
    result: Any | UnsetType = UNSET
    error: ErrorObject | UnsetType = UNSET


class Endless(Struct, kw_only=True):
    """Why the end of an execution cannot be told."""

    id: str
    error: str
    message: str
    detail: ErrorDetail


class EndingsAnswer(Struct):
    """Those that have ended."""

    data: list[Annotated[Any, _one_of("Ending", "Endless")]]


class LogAnswer(Struct):
    """The lines of a log, in the order they were printed."""

    data: list[LineObject]


class RetryObject(Struct, kw_only=True):
    """How a failed attempt is tried again; seconds."""

    max_attempts: int
    initial_interval: float
    randomization_factor: float
    multiplier: float
    max_interval: float


class FunctionObject(Struct, kw_only=True):
    """A function that can be called, or a cron."""

    name: str
    function_id: str
    kind: Kind
    schedule: Annotated[str | None, Meta(description="A cron's expression, in UTC.")]
    description: Annotated[str | None, Meta(description="The schedule in words.")]
    next: Annotated[list[MomentText], Meta(description="When the cron fires next; empty while it is paused.")]
    paused_since: Annotated[MomentText | None, Meta(description="Since when the cron is paused; null: it is not.")]
    retry: RetryObject
    concurrency: Annotated[int | None, Meta(description="How many at once; null: no limit.")]
    max_duration: Annotated[float, Meta(description="Seconds.")]
    max_concurrency_action: AtLimit
    alert: bool
    file: str
    last: Annotated[ExecutionObject | None, Meta(description="Its newest execution.")]


class FunctionsAnswer(Struct):
    """All functions, by name."""

    data: list[FunctionObject]


class Healthy(Struct):
    """The runner takes calls and keeps them."""

    status: Literal["ok"]


class Unhealthy(Struct, kw_only=True):
    """Why the runner takes no calls; without ``status`` where it has no time to look."""

    status: Literal["unavailable"] | UnsetType = UNSET
    error: str
    message: str


class KeywordArguments(Struct):
    """The arguments of a call that named some of them."""

    args: list[Any]
    kwargs: dict[str, Any]


class LegacyId(Struct):
    """Which execution it is."""

    id: str


class LegacyExecution(Struct):
    """An execution as v1 knows it; the result is null as long as there is none."""

    id: str
    state: StateText
    result: Any


class LegacyTry(Struct):
    """An attempt as v1 knows it."""

    id: str
    state: StateText


Nothing = Annotated[dict[str, Any], Meta(extra_json_schema={"maxProperties": 0})]
Arguments = list[Any] | KeywordArguments
