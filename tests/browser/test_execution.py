"""The page of one execution: what it shows on each tab, and what it does, with scripts and without."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Browse
from tests.browser.consoles import Console

with_scripts_and_without = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no_scripts"])


async def is_shown(page: Page, name: str, status: str) -> None:
    """Return once the page says that ``name()`` is in a status."""
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"{name}()")
    await expect(page.locator("#head .state")).to_have_text(status)


async def go_to_tab(page: Page, name: str) -> None:
    await page.get_by_role("navigation", name="About this execution").get_by_role("link", name=name).click()
    await page.wait_for_url("**?tab=*")


async def test_what_succeeded_is_shown_tab_by_tab(console: Console, browse: Browse) -> None:
    id = console.run("greet", "Ada", 2, metadata={"user": "12 & 13", "plan": "free"})
    page = await browse(console, f"/executions/{id}")
    panel = page.locator("main .panel")

    await is_shown(page, "greet", "succeeded")
    await expect(page).to_have_title("greet() · succeeded · shop · defer")
    await expect(page.locator(".facts")).to_contain_text(id)
    await expect(page.get_by_role("img", name="ran ")).to_be_visible()
    await expect(page.locator(".command")).to_have_text("""defer trigger greet '"Ada"' 2""")
    await expect(page.locator("#log-lines .log-text")).to_have_text(["hello Ada", "to stderr"])
    await expect(page.locator("#log-lines tr").nth(1)).to_have_class("stderr")
    await go_to_tab(page, "Arguments")
    await expect(panel.locator("h3")).to_contain_text(["name", "times"])
    await expect(panel.locator("pre")).to_have_text(['"Ada"', "2"])
    await go_to_tab(page, "Result")
    assert json.loads(await panel.locator("pre").inner_text()) == {"greeting": "AdaAda", "big": 2**70}
    await go_to_tab(page, "Attempts")
    await expect(panel.get_by_role("row")).to_have_count(2)
    await go_to_tab(page, "Metadata")
    await expect(panel.locator("dt")).to_have_text(["plan", "user"])
    await expect(panel.locator("dd")).to_have_text(["free", "12 & 13"])
    await page.go_back()
    await expect(page.locator("[aria-current=page]", has_text="Attempts")).to_be_visible()


async def test_what_failed_is_shown_with_its_own_frames_first(console: Console, browse: Browse) -> None:
    id = console.run("parse", "no <JSON>")
    page = await browse(console, f"/executions/{id}")

    await is_shown(page, "parse", "failed")
    await expect(page.locator(".message")).to_have_text(
        "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)"
    )
    await expect(page.locator(".value")).to_contain_text("parse.py:")
    own, whole = page.locator(".trace").first, page.locator(".trace").last
    await expect(own).to_contain_text("return json.loads(text)")
    await expect(own).not_to_contain_text("raw_decode")
    await expect(whole).to_be_hidden()
    await page.get_by_text("The whole traceback").click()
    await expect(whole).to_contain_text("raw_decode")


async def test_what_is_secret_is_not_shown(console: Console, browse: Browse) -> None:
    id = console.run("broken", 12, "s3cret-word")
    page = await browse(console)

    for tab in ("logs", "arguments", "outcome", "attempts", "metadata"):
        await page.goto(f"/executions/{id}?tab={tab}")
        assert "s3cret-word" not in await page.content()
    await page.goto(f"/executions/{id}?tab=arguments")
    await expect(page.locator("main pre")).to_have_text(["12", '"•••"'])
    file = await page.request.get(f"/executions/{id}/arguments.json")
    assert await file.json() == {"order": 12, "password": "•••"}


async def test_attempts_have_pages_of_their_own_and_children_lead_to_theirs(console: Console, browse: Browse) -> None:
    flaky, family = console.call("flaky"), console.run("family", 3)
    page = await browse(console, f"/executions/{flaky}?tab=attempts")

    await is_shown(page, "flaky", "retrying")
    await expect(page.get_by_role("row", name="ConnectionError: the shop did not answer")).to_contain_text(
        "failed, retried"
    )
    await page.locator(".row-link").click()
    await page.wait_for_url(f"**/executions/{flaky}.1")
    await is_shown(page, "flaky", "failed")
    await page.goto(f"/executions/{family}?tab=children")
    await expect(page.locator("tr[data-row]")).to_have_count(3)
    await page.locator(".row-link").first.click()
    await is_shown(page, "greet", "succeeded")
    await page.locator(".facts").get_by_role("link", name=family).click()
    await is_shown(page, "family", "succeeded")


@with_scripts_and_without
async def test_it_is_run_once_more(console: Console, browse: Browse, scripts: bool) -> None:
    id = console.run("greet", "once more")
    page = await browse(console, f"/executions/{id}", java_script_enabled=scripts)

    await page.get_by_role("button", name="Rerun").click()
    await expect(page.get_by_role("status").first).to_have_text("This execution is the rerun.")
    await expect(page.locator(".facts")).to_contain_text(f"rerun of {id}")
    rerun = page.url.rpartition("/")[2].partition("?")[0]
    assert rerun != id
    assert console.end_of(rerun) == "succeed"
    await page.goto(f"/executions/{rerun}?tab=arguments")
    await expect(page.locator("main pre")).to_have_text(['"once more"'])


@with_scripts_and_without
async def test_what_waits_is_given_another_time_and_cancelled(console: Console, browse: Browse, scripts: bool) -> None:
    id = console.call("greet", "later", scheduled_us=4_102_444_800_000_000)
    page = await browse(console, f"/executions/{id}", java_script_enabled=scripts)

    await is_shown(page, "greet", "delayed")
    await page.get_by_text("Reschedule").click()
    await page.get_by_label("When").fill("2099-12-24 08:00")
    await page.get_by_role("button", name="Set").click()
    await expect(page.get_by_text("Rescheduled.")).to_be_visible()
    await expect(page.locator(".facts")).to_contain_text("2099-12-24 08:00:00 UTC")
    await page.get_by_text("Reschedule", exact=True).click()
    await page.get_by_label("When").fill("yesterday-ish")
    await page.get_by_role("button", name="Set").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("yesterday-ish")
    await page.goto(f"/executions/{id}")
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_text("Cancelled.")).to_be_visible()
    await is_shown(page, "greet", "cancelled")
    await expect(page.get_by_text("It never ran.")).to_be_visible()
    assert console.state(id) == "cancelled"


@with_scripts_and_without
async def test_what_runs_is_aborted_once_whoever_asks_is_sure(console: Console, browse: Browse, scripts: bool) -> None:
    id = console.running("endless")
    page = await browse(console, f"/executions/{id}", java_script_enabled=scripts)

    await page.get_by_role("button", name="Abort").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Abort this execution of endless()?")
    await page.get_by_role("link", name="Go back").click()
    await is_shown(page, "endless", "running")
    await page.get_by_role("button", name="Abort").click()
    assert console.state(id) == "started"
    await page.get_by_role("button", name="Abort it").click()
    await expect(page.get_by_text("It is being aborted.")).to_be_visible()
    assert console.end_of(id) == "aborted"


async def test_what_is_not_there_is_told(console: Console, browse: Browse) -> None:
    page = await browse(console, "/executions/0000000000000000000000")

    await expect(page.get_by_role("heading", level=1)).to_contain_text("no execution has the id")
    await page.goto("/executions/nothing/here")
    await expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page.")
