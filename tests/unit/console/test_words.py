"""Values as pages write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from defer_cli.console import words
from defer_cli.console.notices import notice

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def waiting(*, due: timedelta, charged: int = 0) -> dict[str, Any]:
    return {"state": "created", "charged": charged, "scheduled_at": (NOON + due).isoformat()}


def test_what_waits_is_queued_delayed_or_about_to_be_tried_again() -> None:
    assert words.status(waiting(due=timedelta(seconds=-1)), NOON).word == "queued"
    assert words.status(waiting(due=timedelta(seconds=1)), NOON).word == "delayed"
    assert words.status(waiting(due=timedelta(seconds=1), charged=2), NOON).word == "retrying"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (NOON, "2026-11-26 12:00:00 UTC"),
        ("2026-11-26T13:00:00+01:00", "2026-11-26 12:00:00 UTC"),
        (1_795_694_400_000_000, "2026-11-26 12:00:00 UTC"),
    ],
)
def test_a_moment_reads_the_same_however_it_is_given(value: words.Moment, text: str) -> None:
    assert words.utc(value) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "–"),
        (0, 9, "0 %"),
        (9, 9, "100 %"),
        (999_999, 1_000_000, "99.9 %"),
        (1, 1_000_000, "0.1 %"),
        (1, 3, "33.3 %"),
    ],
)
def test_a_share_is_whole_only_where_nothing_is_missing(part: int, whole: int, text: str) -> None:
    assert words.percent(part, whole) == text


def test_a_moment_ahead_is_told_in_minutes() -> None:
    assert words.from_now(NOON + timedelta(seconds=59), NOON) == "within a minute"
    assert words.from_now(NOON + timedelta(days=3, hours=4, seconds=59), NOON) == "in 3d 4h"


def test_lines_keep_their_ends_and_nothing_else_moves_anything() -> None:
    assert words.visible_text("a\tb\n\x1b[2J\u202ec\n") == "a   b\n\\x1b[2J\\u202ec\n"


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ({"done": "cancelled"}, "Cancelled."),
        ({"done": "reran", "n": "1"}, "1 execution enqueued once more."),
        ({"done": "reran", "n": "1200"}, "1,200 executions enqueued once more."),
        ({"done": "reran", "n": "<b>"}, None),
        ({"done": "<b>"}, None),
        ({}, None),
    ],
)
def test_an_address_chooses_a_notice_and_never_writes_one(query: dict[str, str], line: str | None) -> None:
    assert notice(query) == line
