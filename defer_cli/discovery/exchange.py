"""What the runner's side and the inspector tell each other: one line of JSON a message."""

from __future__ import annotations

from msgspec import Struct

from defer_cli.domain.function import FunctionSpec, Problem


class Request(Struct, frozen=True, kw_only=True):
    """To the inspector, on its stdin: import these files (absolute), in this order."""

    project: str
    folder: str
    files: tuple[str, ...]


class Message(Struct, frozen=True, kw_only=True):
    """From the inspector: the file it imports now, so that a death can be laid at its door; at the end the report."""

    importing: str | None = None
    report: Report | None = None


class Report(Struct, frozen=True, kw_only=True):
    """What the inspector found."""

    functions: tuple[FunctionSpec, ...]
    problems: tuple[Problem, ...]
