"""Pictures of every page, dark and light, wide and narrow: `make portraits`, then look at them, one by one."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, Page

from tests.browser.chromium import launched
from tests.browser.consoles import Console
from tests.browser.shop import shop
from tests.process.harness import until

_ROOT = Path(__file__).resolve().parents[2]
_README = {"overview": "overview", "functions": "functions", "execution-failed": "execution"}
_SIZES = {1280: 800, 390: 844}
_SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")
_FAR_US = 1_798_000_000_000_000


def _made(console: Console) -> Mapping[str, str]:
    """Make executions to look at; return their ids by what they show."""
    order = {"metadata": {"order": "4416", "customer": "ada@example.com"}}
    made = {
        "failed": console.run("charge_card", 23 * 193, 42.5, **order),
        "succeeded": console.run("charge_card", 4_401, 129.0, **order),
        "retrying": console.call("sync_stock", "Rotterdam"),
        "delayed": console.call("resize_image", "summer/banner.jpg", scheduled_us=_FAR_US),
        "cancelled": console.call("resize_image", "old/banner.jpg", scheduled_us=_FAR_US),
        "aborted": console.running("export_report", "2026-09", 900),
        "running": console.running("export_report", "2026-10", 900),
    }
    console.ask("cancel", ids=[made["cancelled"]])
    console.ask("cancel", ids=[made["aborted"]], is_forced=True)
    made["parent"] = console.run("weekly_product_recommendations")
    until(lambda: console.project.attempts(made["retrying"]), "sync_stock has failed once")
    until(lambda: console.project.lines(made["running"]), "export_report says something")
    return made


def _addresses(made: Mapping[str, str]) -> Mapping[str, str]:
    pages = {
        "overview": "/",
        "overview-7d": "/?range=7d",
        "functions": "/functions",
        "function": "/functions/charge_card",
        "function-cron": "/functions/import_orders",
        "run": "/functions/charge_card/run",
        "executions": "/executions",
        "executions-filters": "/executions?status=failed&function=charge_card&focus=filter",
        "executions-metadata": "/executions?metadata.order=4416",
        "executions-none": "/executions?function=nothing",
        "executions-wrong": "/executions?status=asleep",
        "no-execution": "/executions/7zzzzzzzzzzzzzzzzzzzzzzzzz",
        "tab-children": f"/executions/{made['parent']}?tab=children",
        "attempt": f"/executions/{made['failed']}.1",
    }
    pages |= {f"execution-{word}": f"/executions/{id}" for word, id in made.items()}
    return pages | {
        f"tab-{tab}": f"/executions/{made['failed']}?tab={tab}" for tab in ("logs", "arguments", "attempts", "metadata")
    }


async def _clicked(page: Page, made: Mapping[str, str]) -> AsyncIterator[str]:
    """Go to what a click leads to, and yield its name, one after the other."""
    await page.goto(f"/executions/{made['running']}")
    await page.get_by_role("button", name="Abort").click()
    yield "sure"
    await page.goto(f"/executions/{made['delayed']}")
    await page.get_by_text("Reschedule").click()
    yield "reschedule"
    await page.goto("/functions/charge_card/run")
    await page.get_by_text("Options of this call").click()
    await page.locator("textarea").first.fill("{4401")
    await page.get_by_role("button", name="Run").click()
    await page.locator(".problem").first.wait_for()
    yield "run-refused"
    await page.goto("/executions?status=succeed&function=resize_image")
    for box in (await page.locator("input[data-pick]").all())[:3]:
        await box.check()
    yield "executions-ticked"
    await page.locator("summary", has_text="that match").click()
    yield "executions-all"
    await page.get_by_role("button", name="Rerun all").click()
    yield "sure-all"
    await page.goto("/")
    await page.keyboard.press("?")
    yield "keys"


async def _take(page: Page, folder: Path, name: str) -> None:
    await page.locator("body").focus()
    if await page.locator("body[data-live]").count():
        await page.locator(".live", has_text=re.compile("Live|Ended")).wait_for()
    await page.screenshot(path=folder / f"{name}.png")


async def _sit(browser: Browser, url: str, made: Mapping[str, str], folder: Path) -> None:
    """Take every page's picture in every look."""
    for scheme in _SCHEMES:
        for width, height in _SIZES.items():
            context = await browser.new_context(
                base_url=url, color_scheme=scheme, viewport={"width": width, "height": height}, reduced_motion="reduce"
            )
            page = await context.new_page()
            for name, path in _addresses(made).items():
                await page.goto(path)
                await _take(page, folder, f"{name}-{scheme}-{width}")
            async for name in _clicked(page, made):
                await _take(page, folder, f"{name}-{scheme}-{width}")
            await context.close()


async def _main(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as root, shop(Path(root) / "shop") as console:
        made = _made(console)
        async with launched() as browser:
            await _sit(browser, console.url, made, folder)
    for name, picture in _README.items():
        shutil.copy(folder / f"{name}-dark-1280.png", _ROOT / "docs" / "pictures" / f"{picture}.png")
    print(f"{len(list(folder.iterdir()))} pictures are in {folder}, three of them in docs/pictures")


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1] if len(sys.argv) > 1 else "portraits").resolve()))
