"""The life of an execution as one bar: what it waited for, when it ran, and how long each took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from defer_cli.console.words import moment
from defer_cli.domain.states import FINAL_STATES

_LEAST_PERCENT = 0.8
"""What took next to no time is seen all the same."""

_NO_DELAY = timedelta(seconds=1)


class Segment(NamedTuple):
    """A part of the bar."""

    word: str
    look: str
    start: datetime
    end: datetime
    is_open: bool
    """Whether it is still going on: its end is now."""
    attempt: int
    """The attempt that ran, or that was waited for."""

    @property
    def span(self) -> timedelta:
        """How long it took."""
        return self.end - self.start


class Bar(NamedTuple):
    """A segment as it is drawn: where, in percent of the whole."""

    segment: Segment
    left: float
    width: float


def segments(execution: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]], now: datetime) -> list[Segment]:
    """Return the segments of a life, in order; ``attempts`` oldest first. Spans that nothing filled are left out."""
    return [one for one in _segments(execution, attempts, now) if one.end > one.start or one.is_open]


def _segments(execution: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[Segment]:
    at = moment(execution["created_at"])
    is_first = True
    for attempt in attempts:
        started, number = moment(attempt["started_at"]), attempt["number"]
        if is_first and number > 1:  # the earlier ones are on another page
            at = min(moment(attempt["scheduled_at"]), started)
        yield from _wait(at, moment(attempt["scheduled_at"]), started, number, is_open=False)
        finished = attempt["finished_at"]
        end = now if finished is None else moment(finished)
        word = "running" if finished is None else "ran"
        yield Segment(word, _look_of(attempt), started, max(end, started), finished is None, number)
        at, is_first = end, False
    if execution["state"] not in FINAL_STATES and (not attempts or attempts[-1]["finished_at"] is not None):
        number = execution["attempt"] + 1
        yield from _wait(at, moment(execution["scheduled_at"]), max(now, at), number, is_open=True)
    elif not attempts and execution["finished_at"] is not None:  # it ended without a run
        yield from _wait(at, moment(execution["scheduled_at"]), moment(execution["finished_at"]), 1, is_open=False)


def _wait(start: datetime, due: datetime, end: datetime, attempt: int, *, is_open: bool) -> Iterator[Segment]:
    """Return a wait in its two parts: until it was due, and until there was a slot."""
    border = min(max(due, start), end)
    if border - start < _NO_DELAY and not (is_open and border == end):
        border = start  # it was only on its way here
    is_early = is_open and border == end
    word = "delayed" if attempt == 1 else "waiting to retry"
    yield Segment(word, "delayed" if attempt == 1 else "retrying", start, border, is_early, attempt)
    if not is_early:
        yield Segment("queued", "queued", border, end, is_open, attempt)


def _look_of(attempt: Mapping[str, Any]) -> str:
    if attempt["finished_at"] is None:
        return "running"
    return {"succeed": "succeeded", "fail": "failed", "retry": "failed"}.get(attempt["outcome"], "ended")


def bars(parts: Sequence[Segment]) -> list[Bar]:
    """Return where each segment is drawn."""
    total = sum((part.span for part in parts), timedelta()) or timedelta(microseconds=1)
    wanted = [max(100 * (part.span / total), _LEAST_PERCENT) for part in parts]
    scale = 100 / sum(wanted) if wanted else 1
    drawn: list[Bar] = []
    left = 0.0
    for part, width in zip(parts, wanted, strict=True):
        drawn.append(Bar(part, round(left, 3), round(width * scale, 3)))
        left += width * scale
    return drawn
