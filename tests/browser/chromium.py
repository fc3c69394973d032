"""Debian's Chromium, steered by Playwright: one for each process that runs tests. The shell has no windows to draw."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

_ONES = ("chromium-headless-shell", "chromium")
_HOW = "`apt-get install chromium-headless-shell` as root, or name another one: CHROMIUM=/path/to/chromium"
_NAMES = "MAP *.test 127.0.0.1"
"""Names of this machine that browsers do not trust as they trust localhost, each of them a site of its own."""


class NoChromium(Exception):
    """There is no browser to test with; the message says where to get one."""


def path_of_chromium() -> str:
    """Return where it is; raise ``NoChromium``."""
    named = os.environ.get("CHROMIUM")
    path = next(filter(None, map(shutil.which, [named] if named else _ONES)), None)
    if path is None:
        raise NoChromium(f"the console is tested in Chromium, and there is none: {_HOW}")
    return path


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Run it for the block."""
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    options.append(f"--host-resolver-rules={_NAMES}")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path_of_chromium(), args=options)
        try:
            yield browser
        finally:
            await browser.close()
