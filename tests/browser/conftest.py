"""Chromium for the process, a context for each test that must end without a fault, and one console for most tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.browser.chromium import launched
from tests.browser.consoles import Console, serving, sources
from tests.browser.watching import Watch
from tests.process.harness import Project

_DEADLINE_MS = 45_000
_HERE = Path(__file__).parent

Browse = Callable[..., Awaitable[Page]]
"""Opens a page of a console in a context of its own, to which other options go. Its pages may talk to no origin but the
console's and those named ``also``, and report no error but one that is ``expected``."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let all tests of this folder share the loop that Chromium is steered from."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.process)
            item.add_marker(pytest.mark.timeout(240))
            if pytest_asyncio.is_async_test(item):
                item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    expect.set_options(timeout=_DEADLINE_MS)
    async with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Return a console that tests share: each looks at executions of its own."""
    project = Project(tmp_path_factory.mktemp("shop") / "shop")
    project.write(**sources(_FUNCTIONS))
    try:
        with serving(project) as console:
            yield console
    finally:
        project.end()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Return a project of a test's own."""
    project = Project(tmp_path / "project")
    yield project
    project.end()


@pytest_asyncio.fixture(loop_scope="session")
async def browse(chromium: Browser) -> AsyncIterator[Browse]:
    """Open pages; at the end, none of them may have done what pages must not do."""
    opened: list[tuple[BrowserContext, Watch]] = []

    async def open_page(
        console: Console,
        path: str | None = None,
        *,
        also: Sequence[str] = (),
        expected: str | None = None,
        **options: Any,
    ) -> Page:
        context = await chromium.new_context(**{"base_url": console.url, **options})
        context.set_default_timeout(_DEADLINE_MS)
        opened.append((context, Watch(context, console.url, *also, expected=expected)))
        page = await context.new_page()
        if path is not None:
            await page.goto(path)
        return page

    yield open_page
    for context, _ in opened:
        await context.close()
    faults = [fault for _, watch in opened for fault in watch.faults]
    assert not faults


_FUNCTIONS = """
    @defer
    async def greet(name, times=1, **more):
        print("hello", name)
        print("to stderr", file=sys.stderr)
        return {"greeting": name * times, "big": 2**70, **more}

    @defer(retry=False)
    async def broken(order, password="hunter2"):
        print("about to fail")
        raise ValueError(f"order {order} has no address")

    @defer(retry=False)
    async def parse(text):
        import json
        return json.loads(text)

    @defer(retry={"max_attempts": 3, "initial_interval": 3600})
    async def flaky():
        raise ConnectionError("the shop did not answer")

    @defer
    async def steps(name, lines=1):
        for step in (1, 2, 3):
            await until_noted(f"{name}-{step}") if step > 1 else None
            for _ in range(lines):
                print("step", step)
        return "all steps"

    @defer
    async def counted():
        await until_noted("counted")

    @defer.cron("30 3 * * *")
    async def nightly():
        print("every night")

    @defer
    async def endless():
        print("on and on")
        await asyncio.Event().wait()

    @defer
    async def family(count):
        from defer.greet import greet
        return await asyncio.gather(*[await_result(greet)(f"child {number}") for number in range(count)])
"""
