"""When crons fire next."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from defer_cli.console.fires import Fires
from defer_cli.domain.function import FunctionSpec
from defer_cli.domain.listing import next_fires
from tests.unit.api.harness import function

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def cron(name: str, schedule: str) -> FunctionSpec:
    return replace(function(name, kind="cron"), schedule=schedule)


def test_the_soonest_of_all_crons_come_first_and_a_cron_more_than_once() -> None:
    specs = [cron("quarterly", "*/15 * * * *"), cron("hourly", "0 * * * *"), function("compute")]
    found = Fires().coming(specs, NOON, 5)

    assert [(f"{fire:%H:%M}", name) for fire, name in found] == [
        ("12:15", "quarterly"),
        ("12:30", "quarterly"),
        ("12:45", "quarterly"),
        ("13:00", "hourly"),
        ("13:00", "quarterly"),
    ]


def test_paused_crons_do_not_come() -> None:
    specs = [cron("a", "* * * * *"), cron("b", "0 * * * *")]

    assert [name for _, name in Fires().coming(specs, NOON, 1, without={"a"})] == ["b"]


def test_a_fire_is_looked_up_once_until_it_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[datetime] = []

    def counted(spec: FunctionSpec, now: datetime, count: int) -> list[datetime]:
        asked.append(now)
        return next_fires(spec, now, count)

    monkeypatch.setattr("defer_cli.console.fires.next_fires", counted)
    fires, spec = Fires(), cron("hourly", "0 * * * *")
    hour = timedelta(hours=1)

    assert {fires.next(spec, NOON + timedelta(minutes=minute)) for minute in range(60)} == {NOON + hour}
    assert fires.next(spec, NOON + hour) == NOON + 2 * hour
    assert asked == [NOON, NOON + hour]


def test_a_function_never_fires() -> None:
    assert Fires().next(function("compute"), NOON) is None
