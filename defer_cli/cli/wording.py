"""An execution in words: its state in colour, where it came from, how long it ran."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from defer_cli.domain.duration import in_words

STATE_STYLES: Mapping[str, str] = {
    "created": "blue",
    "started": "cyan",
    "succeed": "green",
    "failed": "red",
    "cancelled": "yellow",
    "aborting": "yellow",
    "aborted": "yellow",
    "discarded": "yellow",
}


def moment_in(execution: Mapping[str, Any], name: str) -> datetime | None:
    """Return a moment of an execution's data, None where it has none."""
    text = execution[name]
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def origin_words(execution: Mapping[str, Any], *, is_whole: bool = True) -> str:
    """Return where an execution came from; whole: with the id of its parent or of what it was rerun from."""
    if execution["rerun_of"]:
        return f"rerun of {execution['rerun_of']}" if is_whole else "rerun"
    if execution["parent"]:
        return f"call in {execution['parent']}" if is_whole else "child"
    return str(execution["came_from"])


def duration_words(execution: Mapping[str, Any], *, now: datetime) -> str:
    """Return how long the last attempt ran, or has run so far; nothing for what has not run."""
    started = moment_in(execution, "started_at")
    if started is None:
        return ""
    return in_words(max((moment_in(execution, "finished_at") or now) - started, started - started))


def metadata_words(metadata: Mapping[str, str]) -> str:
    """Return metadata as ``k=v`` after ``k=v``."""
    return " ".join(f"{key}={value}" for key, value in metadata.items())
