"""What the console's charts, counters and filters ask, answered as plain data from a few short reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from defer_cli.domain.errors import SettingError
from defer_cli.domain.history import HOUR_US, quantile
from defer_cli.domain.paging import Filters, cursor_at, position_of
from defer_cli.domain.states import State
from defer_cli.store.contract import Reader
from defer_cli.store.figures import Activity

T = TypeVar("T")
_DAY_HOURS = 24
MOST_COUNTED = 500_000
MOST_CHOICES = 100


def outcomes(reader: Reader, now_us: int, hours: int, bars: int) -> list[dict[str, Any]]:
    """Return what ended in the last ``hours``, in ``bars`` equal bars of whole hours, the running one last.

    Several bars begin at whole multiples of their width since 1970, in UTC: days are days. One bar alone is the last
    ``hours`` whatever the time. Each has ``at_us``, where it begins, and ``counts`` by state, those above 0.
    Raises ``SettingError``.
    """
    if bars < 1 or hours < 1 or hours % bars:
        raise SettingError(f"{hours} hours make no {bars} bars of whole hours", where="bars", mend="use e.g. 24 and 24")
    width, running = hours // bars, now_us // HOUR_US
    last = running + 1 - width if bars == 1 else running - running % width
    first = last - width * (bars - 1)
    counts: list[dict[str, int]] = [{} for _ in range(bars)]
    for (hour, state), count in reader.outcomes(from_hour=first).items():
        place = (hour - first) // width
        if place < bars:  # a clock that was set back leaves ends in the hours to come
            counts[place][str(state)] = counts[place].get(str(state), 0) + count
    return [{"at_us": (first + place * width) * HOUR_US, "counts": counted} for place, counted in enumerate(counts)]


def failing(reader: Reader, now_us: int, hours: int, limit: int) -> list[dict[str, Any]]:
    """Return which functions failed most in the last ``hours``, most first: how many ``failed`` of what ``ended``."""
    found = reader.failing(from_hour=_first_hour(now_us, hours), limit=limit)
    return [{"function": one.function, "failed": one.failed, "ended": one.ended} for one in found]


def activity(reader: Reader, now_us: int) -> dict[str, dict[str, Any]]:
    """Return what ended of each function in the last 24 hours, the running one last.

    ``hours`` are 24 counts by state; ``succeed`` and ``failed`` their sums; ``median_us`` and ``p95_us`` how long runs
    took that succeeded or failed, within 12 %, None where none is known. Functions without an end are left out.
    """
    first = _first_hour(now_us, _DAY_HOURS)
    found = reader.activity(from_hour=first)
    return {function: _told(one, first) for function, one in found.items()}


def activity_of(reader: Reader, function: str, now_us: int) -> dict[str, Any]:
    """Return what ended of one function in the last 24 hours, as ``activity`` does; 0 of everything if nothing did."""
    first = _first_hour(now_us, _DAY_HOURS)
    return _told(reader.activity(from_hour=first, function=function).get(function, Activity({}, {})), first)


def count(
    reader: Reader, filters: Mapping[str, Any], most: int = MOST_COUNTED, after: str | None = None
) -> dict[str, Any]:
    """Return how many executions a list with ``filters`` has: the ``count``, and whether there ``is_more``.

    Exact where only states and functions narrow it; others are counted up to ``most``, and for a short time. Where that
    was over, ``end_cursor`` is not None: asked ``after`` it, the rest is counted.
    """
    wanted = read_asked(filters, Filters)
    place = None if after is None else position_of(after, where="after")
    counted = reader.count(wanted, most=most, after=place)
    end_cursor = None if counted.stopped_at is None else cursor_at(counted.stopped_at)
    return {"count": counted.count, "is_more": counted.is_more, "end_cursor": end_cursor}


def metadata_keys(reader: Reader, limit: int = MOST_CHOICES) -> list[str]:
    """Return the keys that metadata have, in order, the first ``limit``."""
    return reader.metadata_keys(limit=limit)


def metadata_values(reader: Reader, key: str, prefix: str = "", limit: int = MOST_CHOICES) -> list[str]:
    """Return the values that metadata have of ``key`` and that begin with ``prefix``, in order, the first ``limit``."""
    return reader.metadata_values(key, prefix=prefix, limit=limit)


FIGURES: Mapping[str, Callable[..., Any]] = {
    "outcomes": outcomes,
    "failing": failing,
    "activity": activity,
    "activity_of": activity_of,
    "count": count,
    "metadata_keys": metadata_keys,
    "metadata_values": metadata_values,
}
"""The questions of this module by name."""


def read_asked(data: Mapping[str, Any], kind: type[T]) -> T:
    """Return what a caller sent as the checked thing it stands for; raise ``SettingError``."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise SettingError(f"{kind.__name__.lower()}: {error}") from None


def _first_hour(now_us: int, hours: int) -> int:
    return now_us // HOUR_US + 1 - hours


def _told(found: Activity, first: int) -> dict[str, Any]:
    hours: list[dict[str, int]] = [{} for _ in range(_DAY_HOURS)]
    succeeded = failed = 0
    for (hour, state), ended in found.ended.items():
        place = hour - first
        if place >= _DAY_HOURS:  # a clock that was set back
            continue
        hours[place][state.value] = ended
        if state is State.SUCCEED:
            succeeded += ended
        elif state is State.FAILED:
            failed += ended
    return {
        "hours": hours,
        "succeed": succeeded,
        "failed": failed,
        "median_us": quantile(found.runs, 0.5),
        "p95_us": quantile(found.runs, 0.95),
    }
