"""What a list of functions tells of each: its schedule, its next fires, its options, its last execution."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from typing import Any

from defer_cli.domain.cron import Cron
from defer_cli.domain.errors import CronError
from defer_cli.domain.execution import rfc3339, to_moment
from defer_cli.domain.function import FunctionSpec


def next_fires(spec: FunctionSpec, now: datetime, count: int) -> list[datetime]:
    """Return the next ``count`` fires of a cron, fewer when its calendar ends; of a function there are none."""
    if spec.schedule is None:
        return []
    cron = Cron.parse(spec.schedule)
    fires: list[datetime] = []
    moment = now
    try:
        for _ in range(count):
            moment = cron.next(moment)
            fires.append(moment)
    except CronError:  # the calendar ends
        pass
    return fires


@lru_cache(maxsize=4096)
def in_words(schedule: str) -> str:
    """Return a schedule in words."""
    return Cron.parse(schedule).describe()


def function_data(
    spec: FunctionSpec, fires: list[datetime], last: dict[str, Any] | None, *, paused_us: int | None
) -> dict[str, Any]:
    """Return a function as plain data; ``last`` is the data of its newest execution.

    ``paused_us``: since when it is paused, in microseconds since 1970; then it has no next fires.
    """
    return {
        "name": spec.name,
        "kind": spec.kind,
        "schedule": spec.schedule,
        "description": in_words(spec.schedule) if spec.schedule else None,
        "next": [rfc3339(fire) for fire in fires],
        "paused_since": None if paused_us is None else rfc3339(to_moment(paused_us)),
        "retry": asdict(spec.options.retry),
        "concurrency": spec.options.concurrency,
        "max_duration": spec.options.max_duration.total_seconds(),
        "max_concurrency_action": spec.options.max_concurrency_action,
        "alert": spec.options.alert,
        "file": spec.file,
        "last": last,
    }
