"""However failures are spread over a minute, they are a few messages whose counts add up."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from defer_cli.alerts.policy import MOST_TOGETHER, free_at_us, next_message
from defer_cli.domain.alert import AlertKind, Grouping, News
from defer_cli.store.sqlite import open_store
from defer_cli.store.sqlite.store import SqliteStore
from tests.store.harness import NOON, SECOND

MINUTE = 60 * SECOND
STEP_US = SECOND // 4
GROUPING = Grouping()
Spread = Callable[[random.Random], float]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = open_store(tmp_path / "defer.db", is_lasting=False)
    yield store
    store.close()


def messages_of(store: SqliteStore, failures: list[tuple[int, str]]) -> list[int]:
    """Return the counts of the messages that leave, in a world where each step is a quarter of a second."""
    left_us: list[int] = []
    counts: list[int] = []
    failures = sorted(failures, reverse=True)
    now_us = NOON
    while failures or store.outbox.next_us("slack") is not None:
        with store.transaction():
            new: dict[str, int] = {}
            while failures and failures[-1][0] <= now_us:
                _, function = failures.pop()
                new[function] = new.get(function, 0) + 1
            news = [
                News(kind=AlertKind.FAILURE, function=name, count=count, first_us=now_us, last_us=now_us)
                for name, count in new.items()
            ]
            store.outbox.add(news, channels=["slack"], grouping=GROUPING)
            if free_at_us(left_us, window_us=MINUTE) <= now_us:
                alerts = next_message(store.outbox.due("slack", now_us=now_us, limit=MOST_TOGETHER))
                if alerts:
                    store.outbox.begin(alerts, message=f"m{len(counts)}", at_us=now_us)
                    store.outbox.sent(f"m{len(counts)}", at_us=now_us)
                    left_us.append(now_us)
                    counts.append(sum(alert.count for alert in alerts))
        now_us += STEP_US
    return counts


@pytest.mark.parametrize(
    "spread",
    [
        pytest.param(lambda dice: dice.random() * 60, id="evenly"),
        pytest.param(lambda dice: 0.0, id="at once"),
        pytest.param(lambda dice: dice.randrange(6) * 10 + dice.random(), id="in bursts with quiet between"),
        pytest.param(lambda dice: min(dice.expovariate(1 / 10), 60), id="dying away"),
    ],
)
@pytest.mark.parametrize(("functions", "most"), [(1, 5), (50, 60)])
@pytest.mark.parametrize("failures", [60, 10_000])
def test_a_minute_of_failures(failures: int, functions: int, most: int, spread: Spread, store: SqliteStore) -> None:
    dice = random.Random(failures)
    happened = [(NOON + int(spread(dice) * SECOND), f"f{dice.randrange(functions)}") for _ in range(failures)]
    counts = messages_of(store, happened)

    assert len(counts) <= most
    assert sum(counts) == failures


def test_twenty_failures_of_one_function_in_a_minute_are_one_message(store: SqliteStore) -> None:
    assert messages_of(store, [(NOON + number * 3 * SECOND, "f") for number in range(20)]) == [20]


def test_an_hour_of_failures_is_a_message_a_minute(store: SqliteStore) -> None:
    counts = messages_of(store, [(NOON + number * SECOND, "f") for number in range(3_600)])

    assert len(counts) <= 60
    assert sum(counts) == 3_600
