"""Every page, dark and light, wide and narrow: nothing against WCAG 2 AA, and nothing wider than the window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import pytest
from playwright.async_api import expect

from tests.browser.axe import faults
from tests.browser.conftest import Browse
from tests.browser.consoles import Console
from tests.browser.gallery import REFUSED, addresses, executions

Scheme = Literal["dark", "light"]
looks = pytest.mark.parametrize(("scheme", "width"), [("dark", 390), ("light", 1280)], ids=["dark_390", "light_1280"])


@pytest.fixture(scope="module")
def made(console: Console) -> Mapping[str, str]:
    return executions(console)


@looks
async def test_every_page_is_for_everybody(
    console: Console, browse: Browse, made: Mapping[str, str], scheme: Scheme, width: int
) -> None:
    page = await browse(console, color_scheme=scheme, viewport={"width": width, "height": 844})

    found = []
    for name, path in addresses(made).items():
        answer = await page.goto(path)
        assert answer is not None
        assert answer.status == REFUSED.get(name, 200), name
        assert await page.evaluate(f"matchMedia('(prefers-color-scheme: {scheme})').matches")
        found += await faults(page)
    assert not found


@looks
async def test_so_is_what_a_click_leads_to(
    console: Console, browse: Browse, made: Mapping[str, str], scheme: Scheme, width: int
) -> None:
    page = await browse(console, color_scheme=scheme, viewport={"width": width, "height": 844})

    await page.goto(f"/executions/{made['running']}")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_be_visible()
    found = await faults(page)
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Abort").click()
    await page.wait_for_url("**/abort")
    found += await faults(page)
    await page.goto(f"/executions/{made['delayed']}")
    await page.get_by_text("Reschedule").click()
    found += await faults(page)
    await page.goto("/functions/greet/run")
    await page.get_by_text("Options of this call").click()
    await page.get_by_label("Key: ").fill("k" * 300)
    await page.get_by_role("textbox", name="name", exact=True).fill("{no JSON")
    await page.get_by_role("button", name="Run").click()
    await expect(page.locator(".problem").first).to_be_visible()
    found += await faults(page)
    await page.goto("/executions?function=greet")
    await page.locator("summary", has_text="that match").click()
    found += await faults(page)
    await page.get_by_role("button", name="Rerun all").click()
    await page.wait_for_url("**/change")
    found += await faults(page)
    assert not found
