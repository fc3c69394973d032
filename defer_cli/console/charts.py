"""Outcomes as bars: what is drawn where, in pixels up and in percent across, and the words for who does not see it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from defer_cli.console.words import moment, number
from defer_cli.domain.states import State

HEIGHT = 132
_HEADROOM = 8
_LEAST_PIXELS = 2.0
"""One failure among thousands of successes is seen all the same."""
_GAP = 0.22
"""The share of a column's width that stays empty."""
_SPARK_STEP, _SPARK_HEIGHT = 4, 20

KINDS: Mapping[str, Sequence[str]] = {
    "succeeded": (State.SUCCEED,),
    "ended": (State.CANCELLED, State.ABORTED, State.DISCARDED),
    "failed": (State.FAILED,),
}
"""The states that are drawn as one, by their look, from the bottom up."""
_LOOKS = {str(state): look for look, states in KINDS.items() for state in states}
KIND_WORDS: Mapping[str, str] = {
    "succeeded": "succeeded",
    "failed": "failed",
    "ended": "cancelled, aborted or discarded",
}

Counts = Mapping[str, int]


class Range(NamedTuple):
    """How far back a chart looks, and in how many bars."""

    key: str
    word: str
    hours: int
    bars: int
    mark: Callable[[datetime, datetime], str]
    """The text under the bar that begins at the first moment, after one that began at the second; often none."""

    @property
    def bar_word(self) -> str:
        """What one bar stands for."""
        hours = self.hours // self.bars
        return {1: "hour", 24: "day"}.get(hours, f"{hours} hours")


def _each_four_hours(start: datetime, _: datetime) -> str:
    return f"{start:%H:%M}" if start.hour % 4 == 0 else ""


def _each_day(start: datetime, before: datetime) -> str:
    return f"{start:%a} {start.day}" if start.date() != before.date() else ""


def _each_five_days(start: datetime, before: datetime) -> str:
    return f"{start.day} {start:%b}" if start.date() != before.date() and start.toordinal() % 5 == 0 else ""


RANGES: Mapping[str, Range] = {
    one.key: one
    for one in (
        Range("24h", "24 h", 24, 24, _each_four_hours),
        Range("7d", "7 d", 168, 28, _each_day),
        Range("30d", "30 d", 720, 30, _each_five_days),
    )
}


class Piece(NamedTuple):
    """A part of a bar: what it stands for, and where it is, in pixels from the top."""

    look: str
    top: float
    height: float


class Column(NamedTuple):
    """A bar: where it is across, in percent; the span it is about; what ended in it, by look."""

    left: float
    width: float
    pieces: Sequence[Piece]
    start: datetime
    end: datetime
    counts: Counts
    mark: str

    @property
    def middle(self) -> float:
        """Where its middle is."""
        return round(self.left + self.width / 2, 3)

    @property
    def words(self) -> str:
        """What it tells, as one line."""
        ended = ", ".join(
            f"{number(self.counts[look])} {word}" for look, word in KIND_WORDS.items() if look in self.counts
        )
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:%H:%M} UTC: {ended}"


class Chart(NamedTuple):
    """Bars beside each other on one scale."""

    columns: Sequence[Column]
    lines: Sequence[tuple[float, int]]
    """Lines across: pixels from the top, and the count they stand for."""
    sums: Counts
    """What ended in all bars together, by look."""


def chart(bars: Sequence[Mapping[str, Any]], range: Range) -> Chart:
    """Return the bars of ``outcomes`` as they are drawn."""
    width = timedelta(hours=range.hours) / len(bars)
    kinds = [_by_kind(bar["counts"]) for bar in bars]
    top = _round_up(max((sum(counts.values()) for counts in kinds), default=0))
    step = 100 / len(bars)
    columns = []
    before = moment(bars[0]["at_us"]) - width
    for place, (bar, counts) in enumerate(zip(bars, kinds, strict=True)):
        start = moment(bar["at_us"])
        left = round(step * (place + _GAP / 2), 3)
        pieces, mark = _pieces(counts, top), range.mark(start, before)
        columns.append(Column(left, round(step * (1 - _GAP), 3), pieces, start, start + width, counts, mark))
        before = start
    sums: Counter[str] = Counter()
    for counts in kinds:
        sums.update(counts)
    return Chart(columns, _lines(top), sums)


def spark(hours: Sequence[Counts]) -> list[tuple[str, str]]:
    """Return small bars, one an hour, as the path of each look: a list may have hundreds of them."""
    kinds = [_by_kind(counts) for counts in hours]
    top = max((sum(counts.values()) for counts in kinds), default=0)
    paths = dict.fromkeys(KINDS, "")
    for place, counts in enumerate(kinds):
        bottom = _SPARK_HEIGHT
        for look, count in counts.items():
            height = max(round(_SPARK_HEIGHT * count / top), 2)
            bottom -= height
            paths[look] += f"M{place * _SPARK_STEP} {bottom}h{_SPARK_STEP - 1}v{height}h{1 - _SPARK_STEP}z"
    return [(look, path) for look, path in paths.items() if path]


def _by_kind(counts: Counts) -> Counts:
    found: dict[str, int] = {}
    for state, count in counts.items():
        look = _LOOKS[state]
        found[look] = found.get(look, 0) + count
    return {look: found[look] for look in KINDS if found.get(look)}


def _pieces(counts: Counts, top: int) -> list[Piece]:
    """Stack what ended, bottom up; where little things are drawn larger than they are, the largest gives way."""
    if not counts:
        return []
    room = HEIGHT - _HEADROOM
    heights = {look: max(room * counts[look] / top, _LEAST_PIXELS) for look in KINDS if look in counts}
    excess = sum(heights.values()) - max(room * sum(counts.values()) / top, _LEAST_PIXELS * len(heights))
    if excess > 0:
        largest = max(heights, key=heights.__getitem__)
        heights[largest] = max(heights[largest] - excess, _LEAST_PIXELS)
    pieces = []
    bottom = float(HEIGHT)
    for look, high in heights.items():
        bottom -= high
        pieces.append(Piece(look, round(bottom, 2), round(high, 2)))
    return pieces


def _lines(top: int) -> list[tuple[float, int]]:
    if not top:
        return []
    counts = [top, top // 2] if top % 2 == 0 else [top]
    return [(round(HEIGHT - (HEIGHT - _HEADROOM) * count / top, 2), count) for count in counts]


def _round_up(count: int) -> int:
    """Return the next number with which an axis ends: 0, 1, 2, 4, 6, 10, 20, 40, 60, 100, …"""
    if not count:
        return 0
    size = 1
    while True:
        for digit in (1, 2, 4, 6):
            if digit * size >= count:
                return digit * size
        size *= 10
