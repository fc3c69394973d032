"""Bars: how high, how wide, how labelled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from defer_cli.console.charts import HEIGHT, RANGES, Chart, chart, spark
from defer_cli.domain.execution import to_microseconds

MIDNIGHT = datetime(2026, 11, 26, tzinfo=UTC)


def drawn(*counts: dict[str, int], key: str = "24h") -> Chart:
    """Return a chart whose last bars hold ``counts``."""
    range = RANGES[key]
    width = timedelta(hours=range.hours) / range.bars
    whole = [*({} for _ in [None] * (range.bars - len(counts))), *counts]
    bars = [
        {"at_us": to_microseconds(MIDNIGHT + place * width), "counts": of_one} for place, of_one in enumerate(whole)
    ]
    return chart(bars, range)


def test_bars_stand_on_the_ground_and_failures_on_top() -> None:
    column = drawn({"failed": 1, "succeed": 2, "aborted": 1}).columns[-1]
    bottom = column.pieces[0]

    assert [piece.look for piece in column.pieces] == ["succeeded", "ended", "failed"]
    assert bottom.top + bottom.height == HEIGHT
    for lower, upper in pairwise(column.pieces):
        assert upper.top + upper.height == pytest.approx(lower.top)


def test_heights_are_shares_of_the_highest_number_on_the_axis() -> None:
    found = drawn({"succeed": 100}, {"succeed": 50})

    assert found.lines[0][1] == 100
    assert found.columns[-1].pieces[0].height * 2 == found.columns[-2].pieces[0].height


@pytest.mark.parametrize(("most", "top"), [(1, 1), (3, 4), (5, 6), (7, 10), (11, 20), (61, 100), (999_999, 1_000_000)])
def test_an_axis_ends_with_a_plain_number(most: int, top: int) -> None:
    assert drawn({"succeed": most}).lines[0][1] == top


def test_one_failure_among_thousands_is_seen() -> None:
    pieces = drawn({"succeed": 100_000, "failed": 1}).columns[-1].pieces

    assert pieces[-1].look == "failed"
    assert pieces[-1].height == 2
    assert pieces[-1].top >= 0


def test_columns_fill_the_width_in_order() -> None:
    columns = drawn().columns

    assert len(columns) == 24
    assert columns[0].left > 0
    assert columns[-1].left + columns[-1].width < 100
    assert all(a.left + a.width < b.left for a, b in pairwise(columns))


@pytest.mark.parametrize(
    ("key", "marks"),
    [
        ("24h", ["00:00", "04:00", "08:00", "12:00", "16:00", "20:00"]),
        ("7d", ["Thu 26", "Fri 27", "Sat 28", "Sun 29", "Mon 30", "Tue 1", "Wed 2"]),
        ("30d", ["30 Nov", "5 Dec", "10 Dec", "15 Dec", "20 Dec", "25 Dec"]),
    ],
)
def test_marks_are_round_moments(key: str, marks: list[str]) -> None:
    assert [column.mark for column in drawn(key=key).columns if column.mark] == marks


def test_a_bar_tells_what_it_stands_for() -> None:
    column = drawn({"succeed": 1_200, "discarded": 1, "cancelled": 2}).columns[-1]

    assert column.words == "2026-11-26 23:00 to 00:00 UTC: 1,200 succeeded, 3 cancelled, aborted or discarded"


def test_of_nothing_there_is_no_axis() -> None:
    assert drawn().lines == []


def test_what_all_bars_come_to_is_told() -> None:
    assert drawn({"succeed": 1}, {"succeed": 2, "failed": 3}).sums == {"succeeded": 3, "failed": 3}


def test_small_bars_are_one_path_a_look() -> None:
    paths = spark([{}, {"succeed": 3}, {"succeed": 1, "failed": 1}])

    assert [look for look, _ in paths] == ["succeeded", "failed"]
    assert dict(paths)["succeeded"].count("M") == 2


def test_of_nothing_there_are_no_small_bars() -> None:
    assert spark([{}] * 24) == []
    assert spark([]) == []
