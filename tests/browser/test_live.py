"""Pages that stay open: they follow what runs, stand still when asked or hidden, and find a runner that comes back."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.conftest import Browse
from tests.browser.consoles import Console, serving, sources
from tests.process.harness import Project

_HIDE = """(is_hidden) => {
    Object.defineProperty(document, "hidden", {configurable: true, get: () => is_hidden});
    document.dispatchEvent(new Event("visibilitychange"));
}"""
_STAYS = "window.it_is_the_same_page = true"
_LASTING = """
    @defer
    async def lasting():
        print("begun")
        await until_noted("go")
        print("ended")
"""


async def test_a_running_execution_is_followed_to_its_end(console: Console, browse: Browse) -> None:
    id = console.running("steps", "followed")
    page = await browse(console, f"/executions/{id}")
    await page.evaluate(_STAYS)

    await expect(page.locator("#head .state")).to_have_text("running")
    await expect(page.locator(".live")).to_have_text("Live")
    await expect(page.locator("#log-lines .log-text")).to_have_text(["step 1"])
    console.project.note("followed-2")
    await expect(page.locator("#log-lines .log-text")).to_have_text(["step 1", "step 2"])
    console.project.note("followed-3")
    await expect(page.locator("#head .state")).to_have_text("succeeded")
    await expect(page.locator("#log-lines .log-text")).to_have_text(["step 1", "step 2", "step 3"])
    await expect(page.locator(".live")).to_have_text("Ended")
    await expect(page.locator("#timeline .open")).to_have_count(0)
    await expect(page.get_by_role("button", name="Abort")).to_have_count(0)
    assert await page.evaluate("window.it_is_the_same_page")


async def test_it_stands_still_while_paused_or_hidden_and_goes_on(console: Console, browse: Browse) -> None:
    id = console.running("steps", "still")
    page = await browse(console, f"/executions/{id}")
    hidden, other = await page.context.new_page(), await page.context.new_page()
    for one in (page, hidden, other):
        await one.goto(f"/executions/{id}")
        await expect(one.locator(".live.on")).to_be_visible()
        await expect(one.locator("#log-lines .log-text")).to_have_text(["step 1"])
    await page.bring_to_front()
    await page.keyboard.press("Space")
    await hidden.evaluate(_HIDE, True)

    await expect(page.get_by_role("button", name="Paused")).to_have_attribute("aria-pressed", "true")
    console.project.note("still-2")
    await expect(other.locator("#log-lines .log-text")).to_have_text(["step 1", "step 2"])
    for one in (page, hidden):
        await expect(one.locator("#log-lines .log-text")).to_have_text(["step 1"])
    await page.get_by_role("button", name="Paused").click()
    await hidden.evaluate(_HIDE, False)
    console.project.note("still-3")
    for one in (page, hidden):
        await expect(one.locator("#log-lines .log-text")).to_have_text(["step 1", "step 2", "step 3"])
        await expect(one.locator("#head .state")).to_have_text("succeeded")


async def test_what_is_typed_and_opened_stays_while_the_page_moves(console: Console, browse: Browse) -> None:
    id = console.call("steps", "typed", scheduled_us=4_102_444_800_000_000)
    page = await browse(console, f"/executions/{id}")
    await expect(page.locator(".live.on")).to_be_visible()

    await page.get_by_text("Reschedule").click()
    await page.get_by_label("When").fill("2099-1")
    console.ask("reschedule", ids=[id], scheduled_us=4_070_908_800_000_000)
    await expect(page.locator(".facts")).to_contain_text("2099-01-01 00:00:00 UTC")
    await expect(page.get_by_label("When")).to_have_value("2099-1")
    await expect(page.get_by_label("When")).to_be_focused()
    console.ask("cancel", ids=[id])
    await expect(page.locator("#head .state")).to_have_text("cancelled")
    await expect(page.get_by_label("When")).to_have_count(0)


async def test_a_long_log_is_followed_unless_somebody_reads(console: Console, browse: Browse) -> None:
    id = console.running("steps", "long", 100)
    page = await browse(console, f"/executions/{id}")
    box, follow = page.get_by_role("log"), page.get_by_label("Follow")
    at_end = "(box) => box.scrollHeight - box.scrollTop - box.clientHeight < 40"

    await expect(page.locator("#log-lines tr")).to_have_count(100)
    assert await box.evaluate(at_end)
    console.project.note("long-2")
    await expect(page.locator("#log-lines tr")).to_have_count(200)
    assert await box.evaluate(at_end)
    await box.evaluate("(box) => { box.scrollTop = 0; }")
    await expect(follow).not_to_be_checked()
    console.project.note("long-3")
    await expect(page.locator("#log-lines tr")).to_have_count(300)
    assert await box.evaluate("(box) => box.scrollTop") == 0


async def test_the_pages_of_functions_move_too(console: Console, browse: Browse) -> None:
    page = await browse(console, "/functions")
    one = await page.context.new_page()
    await one.goto("/functions/counted")
    overview = await page.context.new_page()
    await overview.goto("/")
    for each in (page, one, overview):
        await expect(each.locator(".live.on")).to_be_visible()
    row = page.locator("tr", has=page.get_by_role("link", name="counted()"))
    id = console.running("counted")

    await expect(row.get_by_role("link", name="1", exact=True)).to_be_visible()
    await expect(one.locator("#newest tr[data-row]")).to_have_count(1)
    await expect(one.locator("#newest .state")).to_have_text("running")
    await expect(overview.locator("#numbers dd").first).not_to_have_text("0")
    console.project.note("counted")
    await expect(row).to_contain_text("100 %")
    await expect(one.locator("#newest .state")).to_have_text("succeeded")
    assert console.end_of(id) == "succeed"


async def test_a_runner_that_was_killed_is_found_again_and_no_line_doubled(browse: Browse, project: Project) -> None:
    project.write(**sources(_LASTING))
    with serving(project) as before:
        id = before.running("lasting")
        page = await browse(before, f"/executions/{id}")
        await page.evaluate(_STAYS)
        await expect(page.locator("#log-lines .log-text")).to_have_text(["begun"])
        before.runner.kill()
        await expect(page.locator(".live.lost")).to_have_text("Reconnecting")
    with serving(project, "--port", str(before.port)) as after:
        await expect(page.locator("#head .state")).to_have_text("running")
        await expect(page.locator("#log-lines .out .log-text")).to_have_text(["begun", "begun"])
        project.note("go")
        await expect(page.locator("#head .state")).to_have_text("succeeded")
        await expect(page.locator("#log-lines .out .log-text")).to_have_text(["begun", "begun", "ended"])
        assert after.end_of(id) == "succeed"
        assert await page.evaluate("window.it_is_the_same_page")
        await page.reload()
        await expect(page.locator("#log-lines .out .log-text")).to_have_text(["begun", "begun", "ended"])
