"""Keys: to pages, rows, filters; and none of them while somebody writes."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Browse
from tests.browser.consoles import Console
from tests.browser.gallery import FAR_US


@pytest.mark.parametrize(("letter", "path"), [("o", "/"), ("f", "/functions"), ("e", "/executions")])
async def test_two_letters_lead_to_a_page(console: Console, browse: Browse, letter: str, path: str) -> None:
    page = await browse(console, "/functions/greet/run")

    await page.get_by_role("textbox", name="name", exact=True).press_sequentially(f"g{letter}")
    await expect(page.get_by_role("textbox", name="name", exact=True)).to_have_value(f"g{letter}")
    await page.get_by_role("textbox", name="name", exact=True).blur()
    await page.keyboard.press("g")
    await page.keyboard.press(letter)
    await page.wait_for_url(f"{console.url}{path}")
    await expect(page.locator("nav [aria-current=page]").first).to_be_visible()


async def test_rows_are_walked_ticked_opened_and_rerun(console: Console, browse: Browse) -> None:
    ids = console.calls("greet", 3, metadata={"of": "keys"}, scheduled_us=FAR_US)[::-1]
    page = await browse(console, "/executions?metadata.of=keys")
    here = page.locator("tr.here")

    await page.keyboard.press("j")
    await expect(here).to_have_attribute("data-row", ids[0])
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await expect(here).to_have_attribute("data-row", ids[2])
    await page.keyboard.press("k")
    await page.keyboard.press("x")
    await expect(page.get_by_label(f"Select {ids[1]}")).to_be_checked()
    await page.keyboard.press("x")
    await expect(page.get_by_label(f"Select {ids[1]}")).not_to_be_checked()
    await expect(here.locator(".row-link")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/executions/{ids[1]}")
    await page.go_back()
    await page.keyboard.press("j")
    await page.keyboard.press("r")
    await expect(page.locator(".facts")).to_contain_text(f"rerun of {ids[0]}")
    rerun = page.url
    await page.keyboard.press("r")
    await page.wait_for_url(lambda url: "done=rerun" in url and url != rerun)


async def test_a_slash_filters_and_a_question_mark_helps(console: Console, browse: Browse) -> None:
    page = await browse(console, "/executions")

    await page.keyboard.press("/")
    await expect(page.get_by_role("combobox", name="Function")).to_be_focused()
    await page.goto("/functions")
    await page.keyboard.press("/")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.goto("/")
    await page.keyboard.press("/")
    await page.wait_for_url("**/executions?focus=filter")
    await expect(page.get_by_role("combobox", name="Function")).to_be_focused()
    await page.goto("/")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    await page.get_by_role("button", name="Keys").click()
    await page.get_by_role("button", name="Close").click()
    await expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


async def test_the_first_tab_stop_leads_past_the_frame(console: Console, browse: Browse) -> None:
    page = await browse(console, "/functions")

    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
