"""Questions for charts, counters and filters, answered as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from defer_cli.domain.errors import SettingError
from defer_cli.domain.history import HOUR_US
from defer_cli.figures import FIGURES
from defer_cli.store.contract import Reader, Store
from defer_cli.store.sqlite import open_reader, open_store
from tests.store.harness import NOON, SECOND, Clock, apply, cancel, enqueue, fail, limits, start, succeed

DAY_US = 24 * HOUR_US


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    store = open_store(tmp_path / "defer.db", clock=clock)
    yield store
    store.close()


@pytest.fixture
def reader(store: Store, tmp_path: Path) -> Iterator[Reader]:
    reader = open_reader(tmp_path / "defer.db")
    yield reader
    reader.close()


def ask(reader: Reader, name: str, **parameters: Any) -> Any:
    """Return an answer as it arrives at the other end of a socket."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(FIGURES[name](reader, **parameters)))


def run(store: Store, function: str = "compute", *, seconds: float = 1, is_failure: bool = False) -> None:
    """Let one execution run and end."""
    enqueue(store, function)
    (running,) = start(store, limits(function), limit=1)
    end = fail if is_failure else succeed
    apply(store, end(running, at_us=store.now() + int(seconds * SECOND)))


@pytest.mark.parametrize(
    ("hours", "bars", "first_us", "last_us"),
    [
        (24, 24, NOON - 23 * HOUR_US, NOON),
        (168, 28, NOON - 7 * DAY_US + 6 * HOUR_US, NOON),
        (720, 30, NOON - NOON % DAY_US - 29 * DAY_US, NOON - NOON % DAY_US),
        (24, 1, NOON - 23 * HOUR_US, NOON - 23 * HOUR_US),
    ],
    ids=["a day", "a week", "a month", "one bar"],
)
def test_the_last_bar_is_the_running_one(
    store: Store, reader: Reader, hours: int, bars: int, first_us: int, last_us: int
) -> None:
    run(store)
    told = ask(reader, "outcomes", now_us=NOON + 59 * 60 * SECOND, hours=hours, bars=bars)

    assert (len(told), told[0]["at_us"], told[-1]) == (bars, first_us, {"at_us": last_us, "counts": {"succeed": 1}})


def test_a_bar_holds_what_ended_in_it(store: Store, reader: Reader, clock: Clock) -> None:
    run(store)
    clock.forward(3600)
    run(store)
    run(store, is_failure=True)
    clock.forward(5 * 3600)
    told = ask(reader, "outcomes", now_us=clock.now_us, hours=12, bars=2)

    assert [bar["counts"] for bar in told] == [{"succeed": 2, "failed": 1}, {}]


def test_bars_are_of_whole_hours(reader: Reader) -> None:
    with pytest.raises(SettingError, match="24 hours make no 5 bars"):
        ask(reader, "outcomes", now_us=NOON, hours=24, bars=5)


def test_ends_under_a_clock_that_ran_ahead_are_in_no_bar(store: Store, reader: Reader) -> None:
    run(store, seconds=7200)

    assert ask(reader, "outcomes", now_us=NOON, hours=2, bars=2)[-1]["counts"] == {}
    assert ask(reader, "activity_of", function="compute", now_us=NOON)["succeed"] == 0


def test_what_fails_most_comes_first(store: Store, reader: Reader) -> None:
    run(store, "a", is_failure=True)
    run(store, "b", is_failure=True)
    run(store, "b", is_failure=True)
    run(store, "b")
    told = ask(reader, "failing", now_us=NOON, hours=24, limit=10)

    assert told == [{"function": "b", "failed": 2, "ended": 3}, {"function": "a", "failed": 1, "ended": 1}]
    assert ask(reader, "failing", now_us=NOON + DAY_US, hours=24, limit=10) == []


def test_the_activity_of_each_function_is_that_of_a_day(store: Store, reader: Reader, clock: Clock) -> None:
    run(store, seconds=1)
    clock.forward(23 * 3600)
    for seconds in (2, 2, 2, 60):
        run(store, seconds=seconds, is_failure=seconds == 60)
    cancel(store, enqueue(store))
    told = ask(reader, "activity", now_us=clock.now_us)["compute"]
    later = ask(reader, "activity", now_us=clock.now_us + HOUR_US)["compute"]

    assert told["hours"] == [{"succeed": 1}, *[{}] * 22, {"succeed": 3, "failed": 1, "cancelled": 1}]
    assert (told["succeed"], told["failed"]) == (4, 1)
    assert told["median_us"] == pytest.approx(2 * SECOND, rel=0.12)
    assert told["p95_us"] == pytest.approx(60 * SECOND, rel=0.12)
    assert later["hours"] == [*[{}] * 22, told["hours"][-1], {}]


def test_the_activity_of_one_function_is_told_alone(store: Store, reader: Reader) -> None:
    run(store)
    told = ask(reader, "activity", now_us=NOON)

    assert ask(reader, "activity_of", function="compute", now_us=NOON) == told["compute"]
    assert ask(reader, "activity_of", function="new", now_us=NOON) == {
        "hours": [{}] * 24,
        "succeed": 0,
        "failed": 0,
        "median_us": None,
        "p95_us": None,
    }


def test_what_a_list_holds_is_counted(store: Store, reader: Reader) -> None:
    run(store)
    enqueue(store, metadata={"user": "1"})

    assert ask(reader, "count", filters={}) == {"count": 2, "is_more": False, "end_cursor": None}
    assert ask(reader, "count", filters={"states": ["created"]}) == {"count": 1, "is_more": False, "end_cursor": None}
    assert ask(reader, "count", filters={"came_from": ["call"]}, most=1) == {
        "count": 1,
        "is_more": True,
        "end_cursor": None,
    }


def test_filters_that_are_none_are_refused(reader: Reader) -> None:
    with pytest.raises(SettingError, match="states holds 'sleeping'"):
        ask(reader, "count", filters={"states": ["sleeping"]})


def test_metadata_to_choose_from_are_told(store: Store, reader: Reader) -> None:
    enqueue(store, metadata={"user": "12", "plan": "free"})

    assert ask(reader, "metadata_keys") == ["plan", "user"]
    assert ask(reader, "metadata_values", key="user", prefix="1") == ["12"]
