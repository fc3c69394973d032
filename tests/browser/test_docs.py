"""The documentation in a browser, opened as a file: it is searched, its commands are copied, and it asks nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.acceptance.built_site import build


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("site")).folder


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Browser, folder: Path) -> AsyncIterator[Page]:
    """Return a page that may ask for nothing but files, and report no error."""
    asked: list[str] = []
    faults: list[str] = []
    context = await chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    context.on("request", lambda request: asked.append(request.url))
    context.on("weberror", lambda error: faults.append(str(error.error)))
    context.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page = await context.new_page()
    await page.goto((folder / "index.html").as_uri())
    yield page
    await context.close()
    assert asked
    assert [url for url in asked if not url.startswith((folder.as_uri(), "data:", "blob:"))] == []
    assert faults == []


async def test_a_word_is_found_and_leads_to_its_page(page: Page) -> None:
    box = page.get_by_role("textbox", name="Search")
    await box.focus()
    await expect(page.locator(".md-search-result__meta")).to_have_text("Type to start searching")  # it has its index
    await box.press_sequentially("worker_memory")
    await page.locator(".md-search-result__link", has_text="Settings").click()

    await expect(page).to_have_title("Options - defer")


async def test_what_is_copied_is_the_commands(page: Page) -> None:
    block = page.locator(".highlight").first
    await expect(block).to_contain_text("wrote")
    await block.hover()
    await block.locator("[data-md-type=copy]").click()

    assert (await page.evaluate("navigator.clipboard.readText()")).split("\n") == [
        "mkdir my-app && cd my-app",
        "defer init",
    ]


async def test_pictures_of_states_need_no_script_of_another_host(page: Page, folder: Path) -> None:
    await page.goto((folder / "states.html").as_uri())

    await expect(page.get_by_role("img", name="States")).to_be_visible()
    await expect(page.locator(".states .name")).to_have_count(8)
