"""The first page: numbers, outcomes, what fails, what comes."""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from defer_cli.domain.function import Problem
from defer_cli.domain.retention import RetentionSettings, Round
from defer_cli.engine.measures import Measures
from defer_cli.engine.retention import Retention
from defer_cli.engine.vitals import Vitals
from tests.store.harness import SECOND
from tests.unit.console.harness import Console
from tests.unit.console.test_fires import cron
from tests.unit.engine.harness import FakeListener


def numbers(page: str) -> dict[str, str]:
    """Return the large numbers of a page, by their names."""
    found = re.findall(r"<dt>([^<]+)</dt><dd>(?:<a[^>]*>)?([^<]+)<", page)
    return dict(found)


async def test_numbers_tell_what_runs_waits_and_failed(console: Console) -> None:
    await console.in_state("failed")
    await console.in_state("aborting")
    await console.in_state("started")
    await console.stored()
    await console.stored()
    await console.stored(scheduled_us=console.clock.now_us + 60 * SECOND)

    assert numbers(await console.page("/")) == {
        "Running": "2",
        "Queued": "2",
        "Delayed": "1",
        "Failed, 24 h": "1",
    }


async def test_what_waits_long_is_told_with_since_when(console: Console) -> None:
    await console.stored()
    assert "data-since" not in await console.page("/")
    console.clock.forward(90)
    assert "data-since" in await console.page("/")


@pytest.mark.parametrize(("range", "bars"), [("24h", 24), ("7d", 28), ("30d", 30), ("1y", 24), ("", 24)], ids=str)
async def test_outcomes_are_drawn_and_told_as_a_table(console: Console, range: str, bars: int) -> None:
    await console.in_state("succeed")
    await console.in_state("failed")
    page = await console.page(f"/?range={range}")
    table = re.search(r'<div class="hidden-visually"><table>.*?</table>', page, re.DOTALL)

    assert table is not None
    rows = re.findall(r"<td>([\d,]+)</td><td>([\d,]+)</td><td>([\d,]+)</td>", table[0])
    assert len(rows) == bars
    assert rows[-1] == ("1", "1", "0")
    assert "1 succeeded, 1 failed" in page
    assert page.count('aria-current="page"') == 2


async def test_bars_lead_to_the_executions_of_their_time(console: Console) -> None:
    id = await console.in_state("failed")
    page = await console.page("/")
    (address,) = re.findall(r'<a href="(/executions\?executed_from=[^"]+)"><title>', page)

    assert id in await console.page(address.replace("&amp;", "&"))


async def test_functions_failing_most_come_first(console: Console) -> None:
    await console.in_state("succeed")
    await console.in_state("failed")
    page = await console.page("/")

    assert 'href="/functions/compute"' in page
    assert "50.0 %" in page


async def test_coming_fires_are_listed_but_not_those_of_paused_crons(console: Console) -> None:
    console.functions = {one.name: one for one in (cron("hourly", "0 * * * *"), cron("yearly", "0 0 1 1 *"))}
    page = await console.page("/")
    assert re.findall(r'href="/functions/(\w+)"><span class="call">', page) == ["hourly"] * 10

    await console.submit("/functions/hourly/pause")
    page = await console.page("/")
    assert re.findall(r'href="/functions/(\w+)"><span class="call">', page) == ["yearly"] * 10


async def test_a_project_without_functions_is_told_how_to_begin(console: Console) -> None:
    console.functions = {}
    page = await console.page("/")

    assert "defer init" in page
    assert "Outcomes" not in page


async def test_a_project_of_problems_points_to_them(console: Console) -> None:
    console.functions = {}
    console.problems = [Problem(code="DEF001", problem="a", file="a.py")]
    page = await console.page("/")

    assert "1 problem in the project" in page
    assert "defer init" not in page


async def test_a_project_where_nothing_ran_is_told_what_to_type(console: Console) -> None:
    assert "defer trigger compute" in await console.page("/")
    await console.in_state("succeed")
    assert "defer trigger compute" not in await console.page("/")


async def test_problems_are_pointed_to(console: Console) -> None:
    console.problems = [
        Problem(code="DEF001", problem="a", file="a.py"),
        Problem(code="DEF002", problem="b", file="b.py", is_warning=True),
    ]
    assert "1 problem in the project" in await console.page("/")


async def test_the_runner_is_described(console: Console) -> None:
    assert "Slots in use" not in await console.page("/")
    busy = SimpleNamespace(load=3, waiting=2, has_joined=True, is_retiring=False)
    come_up = SimpleNamespace(load=0, waiting=0, has_joined=False, is_retiring=False)
    parts: Any = (
        SimpleNamespace(processes=[busy, come_up]),
        SimpleNamespace(commits=3, refusal=None),
        SimpleNamespace(fired=Counter[str](), gaps=Counter[str]()),
        Measures(FakeListener()),
    )
    console.backend.vitals = Vitals("host-1", str(Path(__file__)), *parts, slots=10)
    page = await console.page("/")

    assert "1, 1 starting" in page
    assert "3 of 10, 2 given back by attempts that await others" in page
    assert re.search(r"[\d.]+ kB and 0 B of log", page)


async def test_what_is_kept_and_deleted_is_told(console: Console) -> None:
    parts: Any = (
        SimpleNamespace(processes=[]),
        SimpleNamespace(commits=3, refusal=None),
        SimpleNamespace(fired=Counter[str](), gaps=Counter[str]()),
        Measures(FakeListener()),
    )
    vitals = console.backend.vitals = Vitals("host-1", str(Path(__file__)), *parts, slots=10)
    assert "Kept" not in await console.page("/")
    kept = SimpleNamespace(
        settings=RetentionSettings(), round=None, next_us=lambda: time.time_ns() // 1_000 + 250 * SECOND
    )
    vitals.retention = cast("Retention", kept)
    assert "executions for 30d, at most 1,000,000; logs for 7d; next look in 4m" in await console.page("/")
    kept.round = Round(began_us=console.clock.now_us, executions=1_234)
    assert "logs for 7d; deleting the rest, 1,234 executions so far" in await console.page("/")
    kept.settings = RetentionSettings(executions=None, most=None, logs=None)
    assert "executions for ever; logs for ever</dd>" in await console.page("/")
