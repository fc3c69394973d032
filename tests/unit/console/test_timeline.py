"""The bar that tells an execution's life."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from defer_cli.console.timeline import Segment, bars, segments

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def at(seconds: float) -> str:
    return (NOON + timedelta(seconds=seconds)).isoformat()


def life(state: str, *, scheduled: float = 0, finished: float | None = None, attempt: int = 0) -> dict[str, Any]:
    return {
        "state": state,
        "attempt": attempt,
        "created_at": at(0),
        "scheduled_at": at(scheduled),
        "finished_at": None if finished is None else at(finished),
    }


def tried(number: int, *, scheduled: float, started: float, finished: float | None, outcome: str) -> dict[str, Any]:
    return {
        "number": number,
        "scheduled_at": at(scheduled),
        "started_at": at(started),
        "finished_at": None if finished is None else at(finished),
        "outcome": outcome,
    }


def told(parts: list[Segment]) -> list[tuple[str, float, bool]]:
    return [(part.word, part.span.total_seconds(), part.is_open) for part in parts]


def test_a_call_that_succeeded_was_queued_and_ran() -> None:
    attempts = [tried(1, scheduled=0, started=2, finished=5, outcome="succeed")]

    lived = segments(life("succeed", finished=5, attempt=1), attempts, NOON + timedelta(hours=1))

    assert told(lived) == [("queued", 2, False), ("ran", 3, False)]
    assert [part.look for part in lived] == ["queued", "succeeded"]


def test_a_retry_waits_until_it_is_due_and_then_for_a_slot() -> None:
    attempts = [
        tried(1, scheduled=0, started=0, finished=1, outcome="retry"),
        tried(2, scheduled=31, started=33, finished=34, outcome="succeed"),
    ]

    lived = segments(life("succeed", scheduled=31, finished=34, attempt=2), attempts, NOON + timedelta(hours=1))

    assert told(lived) == [("ran", 1, False), ("waiting to retry", 30, False), ("queued", 2, False), ("ran", 1, False)]
    assert [part.attempt for part in lived] == [1, 2, 2, 2]


def test_what_waits_for_its_time_is_delayed_until_now() -> None:
    lived = segments(life("created", scheduled=3600), [], NOON + timedelta(seconds=60))

    assert told(lived) == [("delayed", 60, True)]


def test_what_is_due_waits_for_a_slot_until_now() -> None:
    lived = segments(life("created", scheduled=10), [], NOON + timedelta(seconds=60))

    assert told(lived) == [("delayed", 10, False), ("queued", 50, True)]


def test_what_runs_goes_on_until_now() -> None:
    attempts = [tried(1, scheduled=0, started=1, finished=None, outcome="started")]

    lived = segments(life("started", attempt=1), attempts, NOON + timedelta(seconds=9))

    assert told(lived) == [("queued", 1, False), ("running", 8, True)]


def test_what_was_cancelled_before_it_ran_only_waited() -> None:
    assert told(segments(life("cancelled", finished=7), [], NOON + timedelta(hours=1))) == [("queued", 7, False)]


def test_the_way_to_the_store_is_no_delay() -> None:
    attempts = [tried(1, scheduled=0.02, started=0.03, finished=1, outcome="succeed")]

    lived = segments(life("succeed", scheduled=0.02, finished=1, attempt=1), attempts, NOON + timedelta(hours=1))

    assert [part.word for part in lived] == ["queued", "ran"]


def test_a_clock_that_went_back_gives_no_negative_span() -> None:
    attempts = [tried(1, scheduled=10, started=5, finished=3, outcome="succeed")]

    lived = segments(life("succeed", scheduled=10, finished=3, attempt=1), attempts, NOON)

    assert all(part.span >= timedelta(0) for part in lived)


@pytest.mark.parametrize("count", [1, 3, 200])
def test_bars_fill_the_whole_and_none_is_invisible(count: int) -> None:
    attempts = [
        tried(number, scheduled=number * 60, started=number * 60, finished=number * 60 + 0.001, outcome="retry")
        for number in range(1, count + 1)
    ]

    drawn = bars(segments(life("failed", finished=count * 60 + 1, attempt=count), attempts, NOON))

    assert sum(bar.width for bar in drawn) == pytest.approx(100, abs=0.5)
    assert all(bar.width > 0 for bar in drawn)
    assert [bar.left for bar in drawn] == sorted(bar.left for bar in drawn)


def test_no_life_has_no_bars() -> None:
    assert bars([]) == []
