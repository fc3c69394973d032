"""The overview, the functions, and each of them: what they show, a run by hand, a cron paused and resumed."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Browse
from tests.browser.consoles import Console

with_scripts_and_without = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no_scripts"])


async def test_the_overview_shows_how_the_project_is_doing(console: Console, browse: Browse) -> None:
    console.run("parse", "no JSON")
    console.running("endless")
    page = await browse(console, "/")
    numbers = page.locator("#numbers")

    for name in ("Running", "Queued", "Delayed", "Failed, 24 h"):
        await expect(numbers).to_contain_text(name)
    await expect(page.get_by_role("table", name="Outcomes of the last 24 h")).to_be_attached()
    await expect(page.locator("svg.bars a").first).to_be_visible()
    await expect(page.locator("#failing")).to_contain_text("parse()")
    await expect(page.locator("#coming")).to_contain_text("nightly()")
    await expect(page.locator("#runner")).to_contain_text("Slots in use")
    await page.get_by_role("navigation", name="Range").get_by_role("link", name="30").click()
    await expect(page.get_by_role("table", name="Outcomes of the last 30 d")).to_be_attached()
    await page.locator("#failing").get_by_role("link", name="parse()").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("parse(text)")
    await page.goto("/")
    await numbers.locator("div", has_text="Running").get_by_role("link").click()
    await expect(page.locator("tr[data-row]", has_text="endless()").first).to_contain_text("running")


async def test_the_functions_are_listed_sorted_and_found(console: Console, browse: Browse) -> None:
    page = await browse(console, "/functions")
    names = page.locator("tr[data-row] .row-link")

    shown = await names.all_inner_texts()
    assert shown == sorted(shown)
    assert "nightly()" in shown
    await expect(page.locator("tr", has_text="nightly()")).to_contain_text("At 03:30")
    await page.get_by_role("searchbox").fill("night")
    await page.get_by_role("button", name="Filter").click()
    await expect(names).to_have_text(["nightly()"])
    assert page.url.endswith("?q=night")
    await names.click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("nightly()")


async def test_a_function_has_its_options_outcomes_and_executions(console: Console, browse: Browse) -> None:
    id = console.run("greet", "shown on its page")
    page = await browse(console, "/functions/greet")

    await expect(page.get_by_role("heading", level=1)).to_have_text("greet(name, times=…, **more)")
    await expect(page.locator(".facts")).to_contain_text("src/defer/greet.py:")
    await expect(page.locator("#newest tr[data-row]").first).to_contain_text("succeeded")
    await expect(page.locator(".dots a").last).to_have_attribute("href", f"/executions/{id}")
    await page.get_by_role("link", name="All ").click()
    await page.wait_for_url("**/executions?function=greet")


@with_scripts_and_without
async def test_it_is_run_with_arguments_that_fit(console: Console, browse: Browse, scripts: bool) -> None:
    page = await browse(console, "/functions/greet", java_script_enabled=scripts)

    await page.get_by_role("link", name="Run", exact=True).click()
    await page.get_by_label("name", exact=True).fill("no JSON")
    await page.get_by_label("more").fill("[1]")
    await page.get_by_role("button", name="Run").click()
    await expect(page.locator(".problem")).to_have_count(2)
    await expect(page.get_by_label("name", exact=True)).to_have_value("no JSON")
    await expect(page.get_by_label("name", exact=True)).to_have_attribute("aria-invalid", "true")
    await page.get_by_label("name", exact=True).fill('"Ada"')
    await page.get_by_label("more").fill(f'{{"large": {2**70}}}')
    await page.get_by_text("Options of this call").click()
    await page.get_by_label("Metadata").fill("of=by hand\nuser=12")
    await page.get_by_label("Key: ").fill(f"by-hand-{scripts}")
    await page.get_by_role("button", name="Run").click()
    await expect(page.get_by_role("status").first).to_have_text("Enqueued.")
    id = page.url.rpartition("/")[2].partition("?")[0]
    assert console.end_of(id) == "succeed"
    await page.goto(f"/executions/{id}?tab=outcome")
    told = json.loads(await page.locator("main pre").inner_text())
    assert told == {"greeting": "Ada", "big": 2**70, "large": 2**70}
    await page.goto(f"/executions/{id}?tab=metadata")
    await expect(page.locator(".pairs dd")).to_have_text(["by hand", "12"])


@with_scripts_and_without
async def test_a_cron_is_paused_and_resumed(console: Console, browse: Browse, scripts: bool) -> None:
    page = await browse(console, "/functions/nightly", java_script_enabled=scripts)

    await page.get_by_role("button", name="Pause", exact=True).click()
    await expect(page.get_by_role("status").first).to_contain_text("Paused.")
    await expect(page.locator("#head .state.paused")).to_have_text("paused")
    assert list(console.ask("paused")) == ["nightly"]
    await page.goto("/functions")
    row = page.locator("tr", has_text="nightly()")
    await expect(row).to_contain_text("paused")
    await row.get_by_role("button", name="Resume nightly").click()
    await expect(page.get_by_role("status").first).to_contain_text("Resumed.")
    await expect(row.get_by_role("button", name="Pause nightly")).to_be_visible()
    await expect(row).not_to_contain_text("paused")


async def test_a_cron_is_run_by_hand_without_arguments(console: Console, browse: Browse) -> None:
    page = await browse(console, "/functions/nightly/run")

    await page.get_by_role("button", name="Run").click()
    await expect(page.locator("#head .state")).to_have_text("succeeded")
    await expect(page.locator("#log-lines .log-text")).to_have_text(["every night"])
