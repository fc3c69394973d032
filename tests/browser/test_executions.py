"""The list of executions: filters in the address, pages, and what is done to some of them or to all that match."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import Browse
from tests.browser.consoles import Console
from tests.browser.gallery import FAR_US

with_scripts_and_without = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no_scripts"])


def asked(page: Page) -> list[tuple[str, str]]:
    """Return what the address of a page asks for."""
    return parse_qsl(urlsplit(page.url).query)


def rows(page: Page) -> Locator:
    return page.locator("tr[data-row]")


@with_scripts_and_without
async def test_filters_are_in_the_address(console: Console, browse: Browse, scripts: bool) -> None:
    mark = {"of": f"filters-{scripts}"}
    failed = console.run("parse", "not JSON", metadata=mark)
    console.run("parse", "1", metadata=mark)
    console.run("greet", "Ada", metadata=mark)
    page = await browse(console, "/executions", java_script_enabled=scripts)

    await page.locator("summary", has_text="Filter").click()
    await page.get_by_label("failed", exact=True).check()
    await page.get_by_role("combobox", name="Function").fill("parse")
    await page.get_by_role("combobox", name="Key").fill("of")
    await page.get_by_role("button", name="Show its values").click()
    await expect(page.locator("#metadata-values option")).not_to_have_count(0)
    await page.get_by_label("Value of of").fill(mark["of"])
    await page.get_by_role("button", name="Apply").click()
    await expect(rows(page)).to_have_count(1)
    await expect(page.locator("#count")).to_have_text("1")
    assert sorted(asked(page)) == [("function", "parse"), ("metadata.of", mark["of"]), ("status", "failed")]
    await expect(rows(page)).to_contain_text(failed)
    await expect(rows(page)).to_contain_text('"not JSON"')

    await page.get_by_role("link", name="status failed").click()
    await expect(rows(page)).to_have_count(2)
    await page.get_by_role("link", name="function parse").click()
    await expect(rows(page)).to_have_count(3)
    assert asked(page) == [("metadata.of", mark["of"])]
    await page.go_back()
    await expect(rows(page)).to_have_count(2)
    await page.goto(f"/executions?metadata.of={mark['of']}&came_from=call&scheduled_from=1h+ago&executed_to=now")
    await expect(rows(page)).to_have_count(3)
    await page.goto(f"/executions?metadata.of={mark['of']}&scheduled_from=in+1+h")
    await expect(page.get_by_text("No execution matches.")).to_be_visible()
    await page.goto("/executions?status=asleep")
    await expect(page.get_by_role("alert")).to_contain_text("asleep")


@with_scripts_and_without
async def test_pages_go_on_and_back(console: Console, browse: Browse, scripts: bool) -> None:
    name = f"pages-{scripts}"
    ids = console.calls("greet", 120, metadata={"of": name}, scheduled_us=FAR_US)[::-1]
    page = await browse(console, f"/executions?metadata.of={name}", java_script_enabled=scripts)

    await expect(page.locator("#count")).to_have_text("120")
    seen: list[str] = []
    for number in (50, 50, 20):
        if seen:
            await page.get_by_role("link", name="Older").click()
            await expect(rows(page).first).to_contain_text(ids[len(seen)])
        await expect(rows(page)).to_have_count(number)
        seen += await rows(page).evaluate_all("(rows) => rows.map((row) => row.dataset.row)")
    assert seen == ids
    await expect(page.get_by_role("link", name="Older")).to_have_count(0)
    await page.get_by_role("link", name="Newer").click()
    await expect(rows(page).first).to_contain_text(ids[50])
    await page.get_by_role("link", name="Newest").click()
    await expect(rows(page).first).to_contain_text(ids[0])


@with_scripts_and_without
async def test_those_that_are_ticked_are_cancelled_and_rerun(console: Console, browse: Browse, scripts: bool) -> None:
    name = f"ticked-{scripts}"
    ids = console.calls("greet", 3, metadata={"of": name}, scheduled_us=FAR_US)
    page = await browse(console, f"/executions?metadata.of={name}", java_script_enabled=scripts)
    cancel = page.locator("#picked").get_by_role("button", name="Cancel")

    if scripts:
        await expect(cancel).to_be_disabled()
        await page.get_by_label("Select all rows of this page").check()
        await expect(page.get_by_text("3 selected")).to_be_visible()
        await page.get_by_label("Select all rows of this page").uncheck()
    for id in ids[:2]:
        await page.get_by_label(f"Select {id}").check()
    await cancel.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Cancel 2 executions?")
    assert {console.state(id) for id in ids} == {"created"}
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_text("2 executions cancelled.")).to_be_visible()
    assert [console.state(id) for id in ids] == ["cancelled", "cancelled", "created"]
    assert ("metadata.of", name) in asked(page)

    await page.get_by_label(f"Select {ids[0]}").check()
    await page.locator("#picked").get_by_role("button", name="Rerun").click()
    await page.get_by_role("button", name="Rerun").click()
    await expect(page.get_by_text("1 execution enqueued once more.")).to_be_visible()
    await expect(rows(page)).to_have_count(4)


@with_scripts_and_without
async def test_all_that_match_are_cancelled_and_rerun(console: Console, browse: Browse, scripts: bool) -> None:
    name = f"all-{scripts}"
    ids = console.calls("greet", 60, metadata={"of": name}, scheduled_us=FAR_US)
    (other,) = console.calls("greet", 1, metadata={"of": "others"}, scheduled_us=FAR_US)
    page = await browse(console, f"/executions?metadata.of={name}", java_script_enabled=scripts)

    await page.locator("summary", has_text="All 60 that match").click()
    await page.get_by_role("button", name="Cancel what waits").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Cancel 60 executions?")
    await expect(page.locator("main")).to_contain_text(f"of {name}")
    assert {console.state(id) for id in ids} == {"created"}
    await page.get_by_role("link", name="Go back").click()
    await expect(rows(page)).to_have_count(50)
    await page.locator("summary", has_text="All 60 that match").click()
    await page.get_by_role("button", name="Cancel what waits").click()
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_text("60 executions cancelled.")).to_be_visible()
    assert {console.state(id) for id in ids} == {"cancelled"}
    assert console.state(other) == "created"

    await page.locator("summary", has_text="All 60 that match").click()
    await page.get_by_role("button", name="Rerun all").click()
    await page.get_by_role("button", name="Rerun").click()
    await expect(page.get_by_text("60 executions enqueued once more.")).to_be_visible()
    await expect(page.locator("#count")).to_have_text("120")


async def test_what_could_not_be_changed_is_told(console: Console, browse: Browse) -> None:
    mark = {"of": "refused"}
    console.run("greet", "Ada", metadata=mark)
    console.calls("greet", 1, metadata=mark, scheduled_us=FAR_US)
    page = await browse(console, "/executions?metadata.of=refused")

    await page.get_by_label("Select all rows of this page").check()
    await page.locator("#picked").get_by_role("button", name="Cancel").click()
    await page.get_by_role("button", name="Cancel").click()
    await page.wait_for_url("**/executions/changes/*")
    await expect(page.locator("main")).to_contain_text("Done")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Cancel 2 executions")
    for name, number in (("Cancelled", "1"), ("Left as they were", "1")):
        await expect(page.locator("dl div", has=page.get_by_text(name, exact=True))).to_contain_text(number)


async def test_the_list_moves_and_ticks_stay(console: Console, browse: Browse) -> None:
    mark = {"of": "moving"}
    (first,) = console.calls("greet", 1, metadata=mark, scheduled_us=FAR_US)
    page = await browse(console, "/executions?metadata.of=moving")
    await expect(page.locator(".live.on")).to_be_visible()

    await page.get_by_label(f"Select {first}").check()
    (second,) = console.calls("greet", 1, metadata=mark)
    await expect(rows(page)).to_have_count(2)
    await expect(rows(page).first).to_contain_text("succeeded")
    await expect(page.get_by_label(f"Select {second}")).not_to_be_checked()
    await expect(page.get_by_label(f"Select {first}")).to_be_checked()
    await expect(page.get_by_text("1 selected")).to_be_visible()
