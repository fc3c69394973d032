"""`defer prune`: deletes executions that finished long ago, a step at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from defer_cli.cli.check import counted
from defer_cli.cli.failures import FAILED, INTERRUPTED, OK, UsageError
from defer_cli.cli.options import Data, Json, Project
from defer_cli.cli.output import moment_words, say, show_json
from defer_cli.cli.steps import Progress, Steps, is_wanted, may_ask
from defer_cli.domain.duration import parse_duration
from defer_cli.domain.execution import rfc3339, to_microseconds

if TYPE_CHECKING:
    from defer_cli.cli.place import DataPlace

OlderThan = Annotated[
    str, typer.Option("--older-than", metavar="SPAN", help="Delete what finished longer ago than this: 30d, 12h.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; where nobody can answer nothing is asked.")]


def prune(
    *,
    older_than: OlderThan,
    yes: Yes = False,
    project: Project = None,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Delete finished executions with their arguments, results and logs; those of an unfinished parent are kept."""
    from defer_cli.cli.place import find_data

    before = datetime.now(UTC) - _span(older_than)
    place = find_data(project, data)
    question = f"delete every execution that finished before {moment_words(before)}?"
    if not yes and may_ask() and not is_wanted(question):
        return FAILED
    deleted, is_whole = _prune(place, before) if place.has_store() else (0, True)
    if as_json:
        show_json({"deleted": deleted, "before": rfc3339(before), "is_complete": is_whole})
    else:
        print(f"{counted(deleted, 'execution')} deleted")
    if not is_whole:
        say("interrupted: ask again to delete the others")
        return INTERRUPTED
    return OK


def _span(text: str) -> timedelta:
    if text.strip().replace(".", "", 1).isdecimal():  # seconds elsewhere: here a slip would cost data
        raise UsageError(f"{text!r} has no unit", where="--older-than", mend=f"write {text.strip()}d for days")
    return parse_duration(text, where="--older-than")


def _prune(place: DataPlace, before: datetime) -> tuple[int, bool]:
    """Return how many were deleted, and whether all were looked at."""
    progress = Progress()
    deleted = 0
    place_in_list: int | None = 0
    try:
        with Steps(place.data) as steps:
            while not steps.is_stopped and place_in_list is not None:
                step = steps.make("prune", {"before_us": to_microseconds(before), "from_seq": place_in_list})
                deleted += step["deleted"]
                place_in_list = step["next_seq"]
                if steps.rest():
                    progress.show(f"{deleted:,} deleted")
    except BaseException:
        progress.end()
        say(f"{counted(deleted, 'execution')} deleted before it broke off")
        raise
    progress.end()
    return deleted, place_in_list is None
