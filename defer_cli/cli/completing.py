"""What a shell may complete an option or argument with: states, codes, functions, recent ids. Imports no user code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import typer

from defer_cli.domain.execution import ErrorCode
from defer_cli.domain.paging import CAME_FROM
from defer_cli.domain.states import State

if TYPE_CHECKING:
    from pathlib import Path

    from defer_cli.cli.place import DataPlace

Words: TypeAlias = Callable[[str], list[str]]
_PATIENCE_SECONDS = 0.1
_MOST_IDS = 30


def one_of(words: Sequence[str]) -> Words:
    """Return what completes one of ``words``, also behind others and a comma."""

    def complete(incomplete: str) -> list[str]:
        return _behind_comma(incomplete, words)

    return complete


def functions(context: typer.Context, incomplete: str) -> list[str]:
    """Return the functions that have a file."""
    place = _place(context)
    return [] if place is None else _behind_comma(incomplete, sorted(place.function_files()))


def crons(context: typer.Context, incomplete: str) -> list[str]:
    """Return the functions whose file speaks of a cron."""
    place = _place(context)
    if place is None:
        return []
    files = place.function_files().items()
    return [name for name, file in sorted(files) if name.startswith(incomplete) and _speaks_of_cron(file)]


def ids(context: typer.Context, incomplete: str) -> list[str]:
    """Return the newest ids that a living runner tells at once; the store is left alone."""
    place = _place(context)
    if place is None:
        return []
    from defer_cli.cli.access import reach
    from defer_cli.domain.errors import DeferError
    from defer_cli.domain.ids import is_id

    try:
        line = reach(place.data, patience_seconds=_PATIENCE_SECONDS)
        if line is None:
            return []
        with line:
            page = line.ask("executions", page={"first": _MOST_IDS}, filters={})
    except (DeferError, TimeoutError):
        return []
    return [one["id"] for one in page["items"] if one["id"].startswith(incomplete) and is_id(one["id"])]


def _speaks_of_cron(file: Path) -> bool:
    try:
        return b"cron" in file.read_bytes()
    except OSError:
        return False


def _behind_comma(incomplete: str, words: Sequence[str]) -> list[str]:
    before, comma, begun = incomplete.rpartition(",")
    return [f"{before}{comma}{word}" for word in words if word.startswith(begun)]


def _place(context: typer.Context) -> DataPlace | None:
    from defer_cli.cli.place import find_data
    from defer_cli.domain.errors import DeferError

    try:
        return find_data(context.params.get("project"), context.params.get("data"))
    except (DeferError, OSError):
        return None


states = one_of(tuple(map(str, State)))
error_codes = one_of(tuple(map(str, ErrorCode)))
origins = one_of(CAME_FROM)
