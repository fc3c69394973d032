"""The list of functions says what `defer list --json` says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from defer_cli.api.functions import MOST_FIRES
from defer_cli.domain.execution import to_moment
from tests.unit.api.harness import Api, function

FIELDS = (
    "name function_id kind schedule description next paused_since retry concurrency max_duration "
    "max_concurrency_action alert file last"
).split()


@pytest.fixture
def weekly(api: Api) -> Api:
    api.functions = {
        "weekly": replace(function("weekly", kind="cron"), schedule="0 8 * * MON"),
        "compute": function("compute"),
    }
    return api


async def told(api: Api, query: str = "") -> dict[str, dict[str, Any]]:
    answer = await api.ask("GET", f"functions{query}")
    assert answer.status_code == 200, answer.text
    return {one["name"]: one for one in answer.json()["data"]}


async def test_functions_are_told_by_name_with_every_field(weekly: Api) -> None:
    functions = await told(weekly)

    assert list(functions) == ["compute", "weekly"]
    assert [list(one) for one in functions.values()] == [FIELDS, FIELDS]


async def test_a_cron_is_told_with_its_next_fires(weekly: Api) -> None:
    cron = (await told(weekly, "?next=2"))["weekly"]
    fires = [datetime.fromisoformat(moment) for moment in cron["next"]]

    assert (cron["kind"], cron["schedule"]) == ("cron", "0 8 * * MON")
    assert "08:00" in cron["description"]
    assert [(fire.weekday(), fire.hour) for fire in fires] == [(0, 8), (0, 8)]
    assert to_moment(weekly.clock.now_us) < fires[0] < fires[1]


async def test_a_paused_cron_says_since_when_and_has_no_next_fires(weekly: Api) -> None:
    await weekly.backend.ask("pause", names=["weekly"])
    told_paused = (await told(weekly))["weekly"]
    await weekly.backend.ask("resume", names=["weekly"])
    told_again = (await told(weekly))["weekly"]

    assert told_paused["next"] == []
    assert datetime.fromisoformat(told_paused["paused_since"]) == to_moment(weekly.clock.now_us)
    assert (told_again["paused_since"], len(told_again["next"])) == (None, 1)


async def test_a_function_has_no_schedule_and_its_options(weekly: Api) -> None:
    compute = (await told(weekly))["compute"]

    assert (compute["schedule"], compute["description"], compute["next"], compute["last"]) == (None, None, [], None)
    assert (compute["retry"]["max_attempts"], compute["max_duration"]) == (13, 1800.0)


async def test_the_last_execution_is_told_as_everywhere_in_this_api(weekly: Api) -> None:
    id = await weekly.in_state("succeed")
    compute = (await told(weekly))["compute"]

    assert compute["last"] == (await weekly.ask("GET", f"executions/{id}")).json()["data"]
    assert compute["last"]["function_id"] == compute["function_id"]


async def test_more_crons_than_a_turn_of_the_loop_takes_are_all_told(weekly: Api) -> None:
    cron = weekly.functions["weekly"]
    names = [f"cron_{number:02}" for number in range(25)]
    weekly.functions = {name: replace(cron, name=name) for name in names}

    assert list(await told(weekly)) == names


@pytest.mark.parametrize("given", ["0", "-1", "x", "", "²", str(MOST_FIRES + 1), "9" * 5000])
async def test_a_count_of_fires_that_is_none_is_400(weekly: Api, given: str) -> None:
    answer = await weekly.ask("GET", "functions", params={"next": given})

    assert answer.status_code == 400
    assert answer.json()["message"].startswith("next: ")
