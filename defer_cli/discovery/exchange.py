"""What the runner's side and the inspector tell each other: one line of JSON a message."""

from __future__ import annotations

from dataclasses import dataclass

from defer_cli.domain.function import FunctionSpec, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """To the inspector, on its stdin: import these files (absolute), in this order."""

    project: str
    folder: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """From the inspector: the file it imports now, so that a death can be laid at its door; at the end the report."""

    importing: str | None = None
    report: Report | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the inspector found."""

    functions: tuple[FunctionSpec, ...]
    problems: tuple[Problem, ...]
