"""`defer resume`: crons that were paused run again from their next tick on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from defer_cli.cli.options import Data, Directory, Json, Project
from defer_cli.cli.output import distance_words, moment_words, say
from defer_cli.cli.pausing import Names, Outcome, change_pauses
from defer_cli.domain.execution import rfc3339
from defer_cli.domain.listing import next_fires


def resume(
    *, names: Names, project: Project = None, directory: Directory = None, data: Data = None, as_json: Json = False
) -> int:
    """Resume crons that were paused: their next tick runs, and none of those that were skipped."""
    from defer_cli.cli.place import find_place

    return change_pauses("resume", names, find_place(project, directory, data), data=_data, tell=_tell, as_json=as_json)


def _data(outcome: Outcome) -> Mapping[str, Any]:
    fires = _next(outcome, datetime.now(UTC))
    return {"name": outcome.name, "next": [rfc3339(fire) for fire in fires], "changed": outcome.is_changed}


def _tell(outcome: Outcome) -> None:
    now = datetime.now(UTC)
    words = "resumed" if outcome.is_changed else "was not paused"
    fires = _next(outcome, now)
    if fires:
        words += f": its next tick is {moment_words(fires[0])} ({distance_words(fires[0], now=now)})"
    elif outcome.spec is None:
        words += ": there is no such cron now"
    say(words)


def _next(outcome: Outcome, now: datetime) -> list[datetime]:
    return [] if outcome.spec is None else next_fires(outcome.spec, now, 1)
