"""What is wrong with a page for its readers: what axe-core finds against WCAG 2 AA, and what leaves the window."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Page

from tests.node.machine import install_modules

HERE = Path(__file__).parent
_SCRIPT = HERE / "node_modules" / "axe-core" / "axe.min.js"
_RUN = """async (tags) => {
    const found = await axe.run(document, {runOnly: {type: "tag", values: tags}, resultTypes: ["violations"]});
    return found.violations.flatMap(({id, help, nodes}) => nodes.map(
        (node) => `${id}: ${help}: ${node.html.slice(0, 300)}: ${node.failureSummary.replace(/\\s+/g, " ")}`));
}"""
_WIDE = """() => {
    const isCut = (one) => one && (getComputedStyle(one).overflowX !== "visible" || isCut(one.parentElement));
    if (document.scrollingElement.scrollWidth <= innerWidth) return [];
    return [...document.body.querySelectorAll("*")]
        .filter((one) => one.getBoundingClientRect().right > innerWidth && !isCut(one.parentElement))
        .map((one) => `wider than the window: ${one.outerHTML.slice(0, 200)}`);
}"""
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


async def faults(page: Page) -> list[str]:
    """Return what breaks a rule on a page, and what is wider; raise ``NotInstalled`` where axe-core cannot be had."""
    install_modules(HERE)
    # Through the debugger, beside the page's own policy: no script tag of ours gets past it.
    await page.evaluate(_SCRIPT.read_text("utf-8"))
    found: list[str] = await page.evaluate(_RUN, _TAGS)
    return [f"{page.url}: {one}" for one in found] + await too_wide(page)


async def too_wide(page: Page) -> list[str]:
    """Return what of a page leaves its window."""
    found: list[str] = await page.evaluate(_WIDE)
    return [f"{page.url}: {one}" for one in found]
