"""`defer list`: every function with its schedule, its options and its last execution."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from defer_cli.cli.failures import INVALID, OK, show_problems, show_warning
from defer_cli.cli.options import Data, Directory, Json, Project
from defer_cli.cli.output import distance_words, exact_words, moment_words, say, show_json
from defer_cli.cli.tables import show_rows
from defer_cli.domain.errors import DeferError
from defer_cli.domain.execution import to_moment
from defer_cli.domain.listing import function_data, in_words, next_fires
from defer_cli.domain.visible import visible

if TYPE_CHECKING:
    from defer_cli.discovery.discover import Discovery
    from defer_cli.domain.function import FunctionSpec
    from defer_cli.link.project import DataFolder

Next = Annotated[int, typer.Option("--next", min=1, max=1000, metavar="N", help="How many next fires to show.")]
HEADINGS = ("name", "kind", "schedule", "in words", "next", "retry", "concurrency", "last execution")


def list_functions(
    *,
    project: Project = None,
    directory: Directory = None,
    data: Data = None,
    next_count: Next = 1,
    as_json: Json = False,
) -> int:
    """Show every function: schedule, next fire, retry, concurrency, last execution; exit 3 on any problem."""
    from concurrent.futures import ThreadPoolExecutor

    from defer_cli.cli.place import find_place
    from defer_cli.discovery.discover import discover

    place = find_place(project, directory, data)
    with ThreadPoolExecutor(max_workers=1) as thread:  # discovery waits for its child: meanwhile the store is read
        discovering = thread.submit(discover, place.project, place.folder)
        last, paused = _stored(place.data)
        found = discovering.result()
    now = datetime.now(UTC)
    functions = sorted(found.functions, key=lambda spec: spec.name)
    fires = {spec.name: [] if spec.name in paused else next_fires(spec, now, next_count) for spec in functions}
    if as_json:
        show_json(
            [
                function_data(spec, fires[spec.name], last.get(spec.name), paused_us=paused.get(spec.name))
                for spec in functions
            ]
        )
    elif functions:
        show_rows(
            HEADINGS,
            [_row(spec, fires[spec.name], last.get(spec.name), paused.get(spec.name), now) for spec in functions],
        )
    else:
        say(f"no functions yet in {place.folder}; `defer init` writes the first")
    show_problems(found.problems)
    _tell_of_gone(last, paused, found)
    return INVALID if found.has_breach else OK


def _tell_of_gone(last: dict[str, Any], paused: dict[str, int], found: Discovery) -> None:
    """Say which functions are no more, though calls of them wait or they are paused; a broken file may hold any."""
    if found.has_breach:
        return
    known = {spec.name for spec in found.functions}
    for name in sorted(set(paused) - known):
        show_warning(
            f"{visible(name)} is paused, and there is no such function",
            mend=f"bring it back, or forget it: `defer resume {visible(name)}`",
        )
    for name in sorted(set(last) - known):
        if last[name]["state"] == "created":
            show_warning(
                f"calls of {visible(name)} wait, and there is no such function",
                mend=f"bring back {visible(name)}.py, and they run",
            )


def _stored(data: DataFolder) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the last executions, and since when crons are paused."""
    import os

    if not os.path.exists(data.database):
        return {}, {}
    from defer_cli.cli.access import asking

    try:
        with asking(data) as ask:
            return ask("last_executions"), ask("paused")
    except DeferError as error:  # the functions can be shown without
        show_warning(f"the last executions are not to be had: {error.problem}", where=error.where, mend=error.mend)
        return {}, {}


def _row(
    spec: FunctionSpec, fires: list[datetime], last: dict[str, Any] | None, paused_us: int | None, now: datetime
) -> tuple[str, ...]:
    moments = ", ".join(f"{moment_words(fire)} ({distance_words(fire, now=now)})" for fire in fires)
    if paused_us is not None:
        since = to_moment(paused_us)
        moments = f"paused since {exact_words(since)} ({distance_words(since, now=now)})"
    return (
        spec.name,
        spec.kind,
        spec.schedule or "",
        in_words(spec.schedule) if spec.schedule else "",
        moments,
        str(spec.options.retry.max_attempts or "none"),
        str(spec.options.concurrency or "no limit"),
        _last_words(last, now) if last else "never",
    )


def _last_words(last: dict[str, Any], now: datetime) -> str:
    moment = datetime.fromisoformat(last["finished_at"] or last["started_at"] or last["created_at"])
    return f"{last['state']} {distance_words(moment, now=now)}"
