"""What `pause` and `resume` share: which crons, making the change, printing what they are named."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from defer_cli.cli import completing
from defer_cli.cli.failures import INTERRUPTED, OK, UsageError, show_warning
from defer_cli.cli.output import show_json
from defer_cli.domain.execution import to_moment
from defer_cli.domain.visible import visible

if TYPE_CHECKING:
    from defer_cli.cli.place import Place
    from defer_cli.domain.function import FunctionSpec
    from defer_cli.link.project import DataFolder

Names: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="NAME...", autocompletion=completing.crons, help="The crons.")
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one cron: since when it is paused, or was; its function is None where its file is broken or gone."""

    name: str
    since: datetime | None
    is_changed: bool
    spec: FunctionSpec | None


def change_pauses(
    change: str,
    names: Sequence[str],
    place: Place,
    *,
    data: Callable[[Outcome], Mapping[str, Any]],
    tell: Callable[[Outcome], None],
    as_json: bool,
) -> int:
    """Pause or resume crons and print their names, or ``data`` of each; return the exit code.

    Raises ``NotFound`` and ``UsageError`` before anything is changed.
    """
    names = list(dict.fromkeys(names))
    paused = paused_since(place.data)
    specs = _find(names, place, paused)
    made = _make(change, names, place.data) if paused or change == "pause" else _nothing(names)
    outcomes = [
        Outcome(
            one["name"],
            None if one["since_us"] is None else to_moment(one["since_us"]),
            one["is_changed"],
            specs.get(one["name"]),
        )
        for one in made
    ]
    if as_json:
        show_json([data(outcome) for outcome in outcomes])
    else:
        for outcome in outcomes:
            print(visible(outcome.name), flush=True)
            tell(outcome)
    return OK if len(outcomes) == len(names) else INTERRUPTED


def paused_since(data: DataFolder) -> dict[str, int]:
    """Return since when crons are paused, in microseconds since 1970."""
    import os

    if not os.path.exists(data.database):
        return {}
    from defer_cli.cli.access import ask

    answer: dict[str, int] = ask(data, "paused")
    return answer


def _find(names: Sequence[str], place: Place, paused: Mapping[str, int]) -> dict[str, FunctionSpec]:
    """Return the crons that are there; what is paused, or has a broken file, is known by its name alone."""
    from defer_cli.cli.trigger import find_function
    from defer_cli.discovery.discover import discover

    found = discover(place.project, place.folder)
    functions = {spec.name: spec for spec in found.functions}
    crons = {name: spec for name, spec in functions.items() if spec.kind == "cron"}
    broken = {word for one in found.problems if not one.is_warning for word in (one.function, PurePath(one.file).stem)}
    for name in names:
        if name in crons or name in paused:
            continue
        if name in functions:
            raise UsageError(f"{name} is no cron", where="NAME", mend="only what has a schedule can be paused")
        if name not in broken:
            find_function(name, crons)
        show_warning(f"{name} is broken now", mend="see `defer check`")
    return crons


def _make(change: str, names: Sequence[str], data: DataFolder) -> list[Mapping[str, Any]]:
    """Make the change, through a runner or without; what was made already is not made twice."""
    from defer_cli.changes import MOST_AT_ONCE
    from defer_cli.cli.steps import Steps

    data.require()
    made: list[Mapping[str, Any]] = []
    with Steps(data) as steps:
        for start in range(0, len(names), MOST_AT_ONCE):
            if steps.is_stopped:
                break
            made += steps.make(change, {"names": names[start : start + MOST_AT_ONCE]})
    return made


def _nothing(names: Sequence[str]) -> list[Mapping[str, Any]]:
    return [{"name": name, "since_us": None, "is_changed": False} for name in names]
