"""The list of functions: what each has done, filtered and ordered; crons are paused from it."""

from __future__ import annotations

import html
import re
from urllib.parse import quote

import pytest

from defer_cli.domain.function import Problem
from tests.store.harness import SECOND
from tests.unit.api.harness import function
from tests.unit.console.harness import Console
from tests.unit.console.test_fires import cron

HOSTILE = "</td><script>alert(1)</script>"


def names(page: str) -> list[str]:
    return re.findall(r'<tr data-row="([^"]+)">', page)


def row(page: str, name: str) -> str:
    """Return the words of a function's row."""
    found = re.search(rf'<tr data-row="{name}">(.*?)</tr>', page, re.DOTALL)
    assert found is not None
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[1]))).strip()


async def test_each_function_tells_its_day(console: Console) -> None:
    await console.in_state("succeed")
    await console.in_state("failed")
    await console.in_state("started")
    await console.stored()
    await console.stored(scheduled_us=console.clock.now_us + 60 * SECOND)
    page = await console.page("/functions")

    told = row(page, "compute")
    assert names(page) == ["compute", "greet_user", "resize", "weekly"]
    assert "1 running, 1 queued, 1 delayed" in told
    assert "Last 24 h: 1 succeeded, 1 failed" in told
    assert "50.0 % 1 failed" in told
    assert row(page, "resize") == "resize () – 0 0 – – – – Run"


async def test_a_function_that_is_gone_is_listed_while_it_has_executions(console: Console) -> None:
    await console.stored("vanished")
    page = await console.page("/functions")

    assert "no longer in the project" in row(page, "vanished")
    assert "Run" not in row(page, "vanished").split()


async def test_a_cron_tells_when_it_fires_in_words(console: Console) -> None:
    console.functions = {"weekly": cron("weekly", "0 8 * * MON")}
    page = await console.page("/functions")

    assert "At 08:00, only on Monday" in row(page, "weekly")
    assert '<time datetime="2026-01-05T08:00:00.000Z"' in page


async def test_a_cron_is_paused_and_resumed_where_it_stands(console: Console) -> None:
    console.functions = {"weekly": cron("weekly", "0 8 * * MON")}
    here = "/functions?q=week&sort=next"
    page = await console.page(here)
    assert f'name="back" value="{html.escape(here)}"' in page

    answer = await console.submit("/functions/weekly/pause", back=here)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{here}&done=paused")
    page = await console.page(answer.headers["location"])
    assert "Its ticks are skipped until it is resumed." in page
    assert "paused" in row(page, "weekly")
    assert "Resume" in row(page, "weekly")

    answer = await console.submit("/functions/weekly/resume", back="/functions")
    assert answer.headers["location"] == "/functions?done=resumed"
    assert "Pause" in row(await console.page("/functions"), "weekly")


@pytest.mark.parametrize("back", ["//elsewhere", "https://elsewhere/functions", "/functions/../..", "", "/functionsx"])
async def test_pausing_leads_nowhere_else(console: Console, back: str) -> None:
    console.functions = {"weekly": cron("weekly", "0 8 * * MON")}
    answer = await console.submit("/functions/weekly/pause", back=back)

    assert answer.headers["location"] == "/functions/weekly?done=paused"


@pytest.mark.parametrize("change", ["pause", "resume"])
async def test_only_a_cron_is_paused(console: Console, change: str) -> None:
    answer = await console.submit(f"/functions/compute/{change}")

    assert answer.status_code == 404
    assert "There is no cron compute." in answer.text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=RES", ["resize"]),
        ("q=e&sort=name", ["compute", "greet_user", "resize", "weekly"]),
        ("sort=failures", ["compute", "greet_user", "resize", "weekly"]),
        ("sort=next", ["weekly", "compute", "greet_user", "resize"]),
        ("sort=nonsense&page=7", ["compute", "greet_user", "resize", "weekly"]),
        ("q=%20", ["compute", "greet_user", "resize", "weekly"]),
        ("q=nothing", []),
    ],
    ids=["part of a name", "by name", "by failures", "by next fire", "nonsense", "blank", "none"],
)
async def test_the_list_is_filtered_and_ordered_by_its_address(
    console: Console, query: str, expected: list[str]
) -> None:
    console.functions["weekly"] = cron("weekly", "0 8 * * MON")
    await console.in_state("failed")

    assert names(await console.page(f"/functions?{query}")) == expected


async def test_hundreds_of_functions_come_in_pages(console: Console) -> None:
    console.functions = {f"f{number:03}": function(f"f{number:03}") for number in range(250)}
    first, last = await console.page("/functions"), await console.page("/functions?page=3")

    assert len(names(first)) == 100
    assert names(last)[0] == "f200"
    assert "250 functions" in last
    assert 'href="/functions?page=2"' in first


async def test_problems_of_the_last_reload_come_first(console: Console) -> None:
    console.problems = [
        Problem(code="DEF010", problem="unused", file="z.py", is_warning=True),
        Problem(code="DEF006", problem="no hour 25", file="src/defer/a.py", line=7, mend="hours run from 0 to 23"),
    ]
    page = await console.page("/functions")

    assert page.index("no hour 25") < page.index("unused") < page.index("<table")
    assert "src/defer/a.py:7" in page
    assert "hours run from 0 to 23" in page


async def test_a_project_without_functions_is_told_how_to_begin(console: Console) -> None:
    console.functions = {}
    assert "defer init" in await console.page("/functions")

    console.problems = [Problem(code="DEF006", problem="no hour 25", file="a.py")]
    page = await console.page("/functions")
    assert "no hour 25" in page
    assert "see the problems above" in page


async def test_names_are_text(console: Console) -> None:
    await console.stored(HOSTILE)
    for path in ("/functions", "/", "/functions/" + quote(HOSTILE, safe="")):
        assert "<script>alert" not in (await console.browser.get(path)).text


async def test_a_filter_is_text(console: Console) -> None:
    assert "<script>alert" not in await console.page(f"/functions?q={HOSTILE}&sort={HOSTILE}&page={HOSTILE}")
