"""How long runs took, counted in buckets: what a chart and a percentile need, in a few numbers an hour."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import partial
from math import sqrt

HOUR_US = 3_600_000_000
KEPT_HOURS = 31 * 24
"""How far back the ends of executions are told by hour."""
UNKNOWN = -1
"""The bucket of what never ran, or of a time nobody wrote down."""
RATIO = 1.25
BOUNDS_US: tuple[int, ...] = tuple(round(1_000 * RATIO**number) for number in range(98))
"""The longest duration of each bucket, from 1 ms to 29 days; one bucket more holds what took longer."""


bucket_of: Callable[[int], int] = partial(bisect_left, BOUNDS_US)
"""Return the bucket of a duration in microseconds; a clock that was set back makes it 0. Asked at every end."""


def duration_of(bucket: int) -> int:
    """Return the duration that stands for a bucket: the middle of it, by ratio.

    It is at most 12 % off what was measured, from 1 ms to 29 days; below and above it is the bound.
    """
    if bucket <= 0:
        return BOUNDS_US[0]
    if bucket >= len(BOUNDS_US):
        return BOUNDS_US[-1]
    return round(sqrt(BOUNDS_US[bucket - 1] * BOUNDS_US[bucket]))


def quantile(counts: Mapping[int, int], share: float) -> int | None:
    """Return the duration that ``share`` of the runs did not exceed, by nearest rank; None: no run is known.

    ``counts`` are runs by bucket; the answer is as exact as ``duration_of``.
    """
    known = sorted((bucket, count) for bucket, count in counts.items() if bucket != UNKNOWN and count > 0)
    left = share * sum(count for _, count in known)
    for bucket, count in known:
        left -= count
        if left <= 0:
            return duration_of(bucket)
    return duration_of(known[-1][0]) if known else None
