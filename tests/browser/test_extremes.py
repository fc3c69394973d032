"""Nothing yet, much too much, and what is broken: each page still shows what it is for, and fits the window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import ViewportSize, expect

from tests.browser.axe import faults, too_wide
from tests.browser.conftest import Browse
from tests.browser.consoles import Console, developing, serving, sources
from tests.process.harness import Project

NAME = "a_function_whose_name_takes_all_of_sixty_letters_as_some_do_1"
_NARROW: ViewportSize = {"width": 390, "height": 844}
_WIDE: ViewportSize = {"width": 1280, "height": 800}
_HUGE = f"""
    @defer
    async def mebibyte():
        return ["x" * 1023] * 1020

    @defer
    async def flood():
        for number in range(10_000):
            print(f"line {{number}} of a log that nobody reads from its beginning to its end, as long as lines are")

    @defer(retry=False)
    async def {NAME}(an_argument_that_is_not_short_either_and_goes_on_and_on=None):
        raise type("AnError" + "OfSomeCloud" * 6, (Exception,), {{}})("https://" + "x" * 400)

    @defer.cron("59 23 31 12 *")
    async def happy_new_year():
        pass
"""


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Return a console of 500 functions and more, three of which have done too much."""
    project = Project(tmp_path_factory.mktemp("huge") / ("a-project-with-a-long-name-" * 3))
    project.write(**sources(_HUGE))
    for number in range(500):
        name = f"function_{number:03d}"
        (project.folder / f"{name}.py").write_text(f"from defer_cli import defer\n@defer\nasync def {name}(): ...\n")
    try:
        with serving(project) as console:
            yield console
    finally:
        project.end()


async def test_a_project_without_a_function_says_how_to_begin(browse: Browse, tmp_path: Path) -> None:
    project = Project(tmp_path / "new")
    try:
        with developing(project) as console:
            page = await browse(console, viewport=_NARROW)
            for path in ("/", "/functions"):
                await page.goto(path)
                await expect(page.get_by_role("heading", level=2)).to_have_text("This project has no function yet")
                await expect(page.get_by_text("defer init")).to_be_visible()
                assert not await faults(page)
            await page.goto("/executions")
            await expect(page.get_by_text("Nothing has been called yet.")).to_be_visible()
            assert not await faults(page)
            overview, functions = await page.context.new_page(), await page.context.new_page()
            for one, path in ((overview, "/"), (functions, "/functions")):
                await one.goto(path)
                await expect(one.locator(".live.on")).to_be_visible()
            project.write(first="@defer\nasync def first(): ...\n")
            await expect(functions.get_by_role("link", name="first()")).to_be_visible()
            await expect(overview.locator("#runner")).to_contain_text("Slots in use")
    finally:
        project.end()


async def test_a_project_with_problems_shows_them_and_what_still_runs(browse: Browse, tmp_path: Path) -> None:
    project = Project(tmp_path / "broken")
    project.write(
        fine="@defer\nasync def fine(): ...\n",
        sync="@defer\ndef sync(): ...\n",
        wrong='@defer.cron("0 25 * * *")\nasync def wrong(): ...\n',
        unimportable="import nothing_of_that_name\n",
    )
    try:
        with developing(project) as console:
            page = await browse(console, "/")
            await page.get_by_role("link", name="3 problems in the project").click()
            problems = page.get_by_label("Problems of the last reload").get_by_role("listitem")
            await expect(problems).to_have_count(3)
            for code, where in (("DEF004", "sync.py:"), ("DEF006", "wrong.py:"), ("DEF008", "unimportable.py:")):
                await expect(problems.filter(has_text=code)).to_contain_text(where)
            await expect(page.get_by_role("link", name="fine()")).to_be_visible()
            assert not await faults(page)
            await page.set_viewport_size(_NARROW)
            assert not await faults(page)
            (project.folder / "unimportable.py").unlink()
            await expect(problems).to_have_count(2)
    finally:
        project.end()


async def test_a_result_of_a_mebibyte_is_cut_and_to_be_had_whole(huge: Console, browse: Browse) -> None:
    id = huge.run("mebibyte")
    page = await browse(huge, f"/executions/{id}?tab=outcome", viewport=_NARROW)

    assert len(await page.content()) < 200_000
    await expect(page.get_by_text("The first 65,536 of ")).to_be_visible()
    assert not await faults(page)
    whole = await page.request.get(f"/executions/{id}/result.json")
    assert len(await whole.json()) == 1020


async def test_a_log_of_ten_thousand_lines_begins_with_its_end(huge: Console, browse: Browse) -> None:
    id = huge.run("flood")
    page = await browse(huge, f"/executions/{id}?tab=logs")

    await expect(page.locator("#log-lines tr")).to_have_count(1_000)
    await expect(page.locator("#log-lines tr").last).to_contain_text("line 9999 ")
    assert not await too_wide(page)
    await page.get_by_role("link", name="Show 9,000 earlier lines").click()
    await expect(page.locator("#log-lines tr")).to_have_count(10_000)
    await expect(page.locator("#log-lines tr").first).to_contain_text("line 0 ")
    file = await page.request.get(f"/executions/{id}/log.txt")
    assert (await file.text()).count("\n") == 10_000


async def test_long_names_and_errors_fit(huge: Console, browse: Browse) -> None:
    id = huge.run(NAME, "x" * 500)
    page = await browse(huge)
    found = []

    tabs = [f"/executions/{id}?tab={tab}" for tab in ("outcome", "arguments", "attempts", "logs")]
    for path in ("/", "/functions?q=sixty", f"/functions/{NAME}", f"/functions/{NAME}/run", "/executions", *tabs):
        await page.goto(path)
        await expect(page.get_by_text(NAME).first).to_be_attached()
        for size in (_WIDE, _NARROW):
            await page.set_viewport_size(size)
            found += await faults(page)
    assert not found


async def test_five_hundred_functions_are_listed_and_found(huge: Console, browse: Browse) -> None:
    page = await browse(huge, "/functions")

    await expect(page.get_by_role("heading", level=1)).to_have_text("Functions 504")
    assert not await faults(page)
    await page.get_by_role("navigation", name="More functions").get_by_role("link").last.click()
    await expect(page.locator("tr[data-row]").last).to_contain_text("mebibyte()")
    await page.get_by_role("searchbox").fill("_49")
    await page.get_by_role("searchbox").press("Enter")
    await expect(page.locator("tr[data-row]")).to_have_count(10)
    await page.goto("/executions?focus=filter")
    await expect(page.locator("#functions option")).to_have_count(504)
