"""The words the rows are written in: an operation, what it takes and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

JSON = "application/json"
TEXT = "text/plain"
EVENTS = "text/event-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One value in a request's path, query or head; ``kind`` is a type, as of a body.

    A ``kind`` that is an object stands in the query as a name and a value for each of its properties.
    """

    name: str
    where: Literal["path", "query", "header"]
    kind: Any
    description: str
    example: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an operation answers with one status; ``content`` maps a media type to a type."""

    description: str
    content: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[type, ...] = ()
    """Types that the content refers to by name only."""
    example: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names, and what they tell; all are texts."""
    id_at: str | None = None
    """Where the body holds an execution's id, as a JSON pointer: the answer then leads to all that take one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    name: str
    tag: str
    summary: str
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Any = None
    is_body_required: bool = False
    examples: Mapping[str, Any] = field(default_factory=dict)
    """Bodies, by a short name."""
    answers: Mapping[int, Answer]
    faults: tuple[int, ...] = ()
    """Statuses answered as the table of faults says, beside those that any request may get."""
    is_deprecated: bool = False


def json_answer(
    description: str,
    kind: Any,
    example: Any = None,
    *,
    parts: tuple[type, ...] = (),
    headers: Mapping[str, str] | None = None,
    id_at: str | None = None,
) -> Answer:
    """Return an answer whose body is JSON."""
    return Answer(
        description=description,
        content={JSON: kind},
        parts=parts,
        example=example,
        headers=headers or {},
        id_at=id_at,
    )
