"""axe-core, which npm brings: what it finds against the rules of WCAG 2, levels A and AA."""

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
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


async def violations(page: Page) -> list[str]:
    """Return what breaks a rule on a page; raise ``NotInstalled`` where axe-core cannot be had."""
    install_modules(HERE)
    # Through the debugger, beside the page's own policy: no script tag of ours gets past it.
    await page.evaluate(_SCRIPT.read_text("utf-8"))
    found: list[str] = await page.evaluate(_RUN, TAGS)
    return found
