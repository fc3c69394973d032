"""`defer pause`: crons whose ticks are skipped until they are resumed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from defer_cli.cli.options import Data, Directory, Json, Project
from defer_cli.cli.output import distance_words, exact_words, say
from defer_cli.cli.pausing import Names, Outcome, change_pauses
from defer_cli.domain.execution import rfc3339
from defer_cli.domain.visible import visible


def pause(
    *, names: Names, project: Project = None, directory: Directory = None, data: Data = None, as_json: Json = False
) -> int:
    """Pause crons, by name: their ticks are skipped, not caught up, until `defer resume`; calls of them still run."""
    from defer_cli.cli.place import find_place

    return change_pauses("pause", names, find_place(project, directory, data), data=_data, tell=_tell, as_json=as_json)


def _data(outcome: Outcome) -> Mapping[str, Any]:
    assert outcome.since is not None
    return {"name": outcome.name, "paused_since": rfc3339(outcome.since), "changed": outcome.is_changed}


def _tell(outcome: Outcome) -> None:
    assert outcome.since is not None
    name = visible(outcome.name)
    if outcome.is_changed:
        say(f"paused: its ticks are skipped until `defer resume {name}`")
    else:
        distance = distance_words(outcome.since, now=datetime.now(UTC))
        say(f"paused already since {exact_words(outcome.since)} ({distance})")
