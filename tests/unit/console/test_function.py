"""The page of a function: its options, its outcomes, its ticks."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec
import pytest

from defer_cli.console.function import signature, ticks_of
from defer_cli.domain.function import FunctionOptions, Parameter, Problem
from defer_cli.domain.ids import tick_id
from tests.store.harness import NOON, SECOND
from tests.unit.api.harness import ALL_STATES, function
from tests.unit.console.harness import Console
from tests.unit.console.test_fires import cron

HOUR = 3_600 * SECOND


async def test_options_and_source_are_told(console: Console) -> None:
    spec = function("compute", Parameter(name="user", kind="positional_or_keyword"))
    options = FunctionOptions(concurrency=3, max_concurrency_action="cancel")
    console.functions = {"compute": replace(spec, options=options, doc="Compute it.\n\nSlowly.")}
    page = await console.page("/functions/compute")

    assert "compute.py:1" in page
    assert "Compute it." in page
    assert "Slowly" not in page
    assert "3 at once, more are cancelled" in page
    assert "13, first after about 30 s" in page


async def test_the_last_outcomes_are_dots_the_newest_last(console: Console) -> None:
    failed = await console.in_state("failed")
    succeeded = await console.in_state("succeed")
    waiting = await console.stored()
    page = await console.page("/functions/compute")
    dots = page[page.index('class="dots"') : page.index('id="newest"')]

    assert re.findall(r'<a class="(\w+)" href="/executions/(\w+)"', dots) == [
        ("failed", failed),
        ("succeeded", succeeded),
    ]
    assert waiting in page


@pytest.mark.parametrize("state", ALL_STATES)
async def test_every_state_is_among_the_newest(console: Console, state: str) -> None:
    id = await console.in_state(state)
    assert f'href="/executions/{id}"' in await console.page("/functions/compute")


async def test_numbers_are_those_of_one_function(console: Console) -> None:
    await console.in_state("failed")
    await console.stored("greet_user")
    page = await console.page("/functions/greet_user")

    assert re.findall(r"<dt>(Running|Queued)</dt><dd><a[^>]*>(\d+)</a>", page) == [("Running", "0"), ("Queued", "1")]
    assert "1 failed" not in page


async def test_a_function_that_is_gone_has_a_page_while_it_has_executions(console: Console) -> None:
    id = await console.stored("vanished")
    page = await console.page("/functions/vanished")

    assert "no longer in the project" in page
    assert id in page
    assert "/functions/vanished/run" not in page


async def test_a_function_that_never_was_has_none(console: Console) -> None:
    assert "There is no function nothing" in await console.page("/functions/nothing", 404)


async def test_a_function_that_has_not_run_is_told_what_to_type(console: Console) -> None:
    assert "defer trigger greet_user" in await console.page("/functions/greet_user")


async def test_a_cron_tells_its_next_ticks_unless_it_is_paused(console: Console) -> None:
    console.functions = {"weekly": cron("weekly", "0 8 * * MON")}
    page = await console.page("/functions/weekly")
    assert "Mon 2026-01-05 08:00" in page

    answer = await console.submit("/functions/weekly/pause")
    page = await console.page(answer.headers["location"])
    assert "None while it is paused." in page
    assert "/functions/weekly/resume" in page


async def test_problems_of_its_file_are_told(console: Console) -> None:
    console.problems = [
        Problem(code="DEF006", problem="no hour 25", file="compute.py", line=3),
        Problem(code="DEF007", problem="another", file="other.py"),
    ]
    page = await console.page("/functions/compute")

    assert "no hour 25" in page
    assert "another" not in page


def test_ticks_fired_missed_and_skipped_are_in_one_order() -> None:
    gaps = [
        {"kind": "skipped", "after": NOON - HOUR, "until": NOON, "reason": "paused"},
        {"kind": "new", "after": 0, "until": NOON, "reason": "seen for the first time"},
        {"kind": "missed", "after": NOON - 3 * HOUR, "until": NOON - 2 * HOUR, "reason": "no runner was up"},
    ]
    told = ticks_of("weekly", {"paused_since": None, "fired": [NOON + HOUR, NOON - HOUR], "gaps": gaps})

    assert [one.standing.word for one in told] == ["fired", "skipped", "fired", "missed"]
    assert told[0].execution == tick_id("weekly", NOON + HOUR)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("", "()"),
        ("po", "(a, /)"),
        ("po po= pk", "(a, b=…, /, c)"),
        ("pk vp ko", "(a, *b, c)"),
        ("pk ko= vk", "(a, *, b=…, **c)"),
        ("ko ko", "(*, a, b)"),
        ("vp vk", "(*a, **b)"),
    ],
)
def test_a_signature_is_written_as_in_python(kinds: str, expected: str) -> None:
    long = {"po": "positional_only", "pk": "positional_or_keyword", "vp": "var_positional", "ko": "keyword_only"}
    long["vk"] = "var_keyword"
    parameters = [
        msgspec.convert({"name": name, "kind": long[kind.rstrip("=")], "has_default": kind.endswith("=")}, Parameter)
        for name, kind in zip("abc", kinds.split(), strict=False)
    ]
    assert signature(function("compute", *parameters)) == expected
