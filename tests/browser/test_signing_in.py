"""Who may see the console of a runner with a token, and how they get in and out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Browse
from tests.browser.consoles import Console, serving, sources
from tests.browser.elsewhere import another_site
from tests.browser.routes import paths
from tests.process.harness import Project

TOKEN = "a token: with a colon & an <i>"
_FUNCTIONS = """
    @defer
    async def greet(name):
        print("hello")
        print("to all")
        return f"hello {name}"
"""
_OTHER_PLACES = (
    "//evil.test/",
    "https://evil.test/",
    "/\\evil.test",
    "/%2f\n/evil.test",
    "javascript:alert(1)",
    "evil",
)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Return a console that asks for a token."""
    project = Project(tmp_path_factory.mktemp("guarded"))
    project.write(**sources(_FUNCTIONS))
    project.runner_environment = {"DEFER_TOKEN": TOKEN, "DEFER_ALLOWED_HOSTS": "console.test"}
    try:
        with serving(project) as console:
            yield console
    finally:
        project.end()


async def sign_in(page: Page, token: str = TOKEN) -> None:
    await page.get_by_label("Token").fill(token)
    await page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no_scripts"])
async def test_who_has_the_token_gets_where_they_wanted(guarded: Console, browse: Browse, scripts: bool) -> None:
    id = guarded.run("greet", "Ada")
    page = await browse(guarded, f"/executions/{id}?tab=arguments", java_script_enabled=scripts)
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))

    await sign_in(page, "a wrong one")
    await expect(page.get_by_role("alert")).to_have_text("That is not the token.")
    await expect(page.get_by_label("Token")).to_be_focused()
    await sign_in(page)
    await page.wait_for_url(f"**/executions/{id}?tab=arguments")
    await expect(page.locator("main pre")).to_have_text('"Ada"')
    (cookie,) = await page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/")
    assert abs(cookie["expires"] - time.time() - 12 * 3600) < 60
    assert not [address for address in addresses if "token" in address]

    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("status")).to_have_text("Signed out.")
    assert not await page.context.cookies()
    await page.context.add_cookies([{"name": cookie["name"], "value": cookie["value"], "url": guarded.url}])
    await page.goto(f"/executions/{id}")
    await expect(page.get_by_label("Token")).to_be_visible()


async def test_nothing_is_shown_or_done_without_it(guarded: Console, browse: Browse) -> None:
    id = guarded.run("greet", "Ada")
    waiting = guarded.call("greet", "nobody", scheduled_us=4_102_444_800_000_000)
    page = await browse(guarded)
    forged = f"{int(time.time()) + 3600}.0123456789abcdef.{'0' * 64}"
    await page.context.add_cookies([{"name": "defer_session", "value": forged, "url": guarded.url}])
    before = guarded.project.counts()

    for path in paths("GET", id=id, name="greet"):
        answer = await page.request.get(path, max_redirects=0)
        if path != "/sign-in":
            assert answer.status == 303, path
            assert answer.headers["location"].startswith("/sign-in?next=%2F"), path
        stream = await page.request.get(f"{path}?live=", max_redirects=0)
        assert stream.status == (200 if path == "/sign-in" else 401), path
        assert "Ada" not in await answer.text() + await stream.text()
    for path in paths("POST", id=waiting, name="greet"):
        fields: dict[str, str | float | bool] = {"sure": "1", "arguments": "[]", "id": waiting, "all": "1"}
        answer = await page.request.post(path, form=fields, max_redirects=0)
        assert answer.status == (403 if path == "/sign-in" else 303), path
    assert guarded.project.counts() == before
    assert guarded.state(waiting) == "created"


async def test_a_link_of_another_site_leads_to_its_page(guarded: Console, browse: Browse) -> None:
    id = guarded.run("greet", "Ada")
    origin = f"http://console.test:{guarded.port}"
    target = f"{origin}/executions/{id}?tab=arguments&x=%22%3E%3Cimg"
    with another_site({"/": f'<a href="{target.replace("&", "&amp;")}">the execution</a>'}) as elsewhere:
        page = await browse(guarded, "/sign-in", base_url=origin, also=[origin, elsewhere])
        await sign_in(page)
        await page.wait_for_url(f"{origin}/")
        await page.goto(elsewhere)
        await page.get_by_role("link").click()

        await page.wait_for_url(target)
        await expect(page.locator("main pre")).to_have_text('"Ada"')


async def test_a_page_of_another_site_commands_nothing(guarded: Console, console: Console, browse: Browse) -> None:
    origin = f"http://console.test:{guarded.port}"
    for one, at in ((guarded, origin), (console, console.url)):
        id = one.call("greet", "nobody", scheduled_us=4_102_444_800_000_000)
        form = f'<form method="post" action="{at}/executions/{id}/cancel"><button>Win</button></form>'
        with another_site({"/": form}) as elsewhere:
            page = await browse(one, "/sign-in", base_url=at, also=[at, elsewhere])
            if one is guarded:
                await sign_in(page)
                await page.wait_for_url(f"{origin}/")
            await page.goto(elsewhere)
            async with page.expect_response("**/cancel") as refused:
                await page.get_by_role("button").click()

            assert (await refused.value).status == 403
            assert one.state(id) == "created"


async def test_nobody_is_led_to_another_site(guarded: Console, browse: Browse) -> None:
    page = await browse(guarded)
    for place in _OTHER_PLACES:
        await page.goto("/sign-in?next=" + quote(place, safe=""))
        await sign_in(page)
        await page.wait_for_url(f"{guarded.url}/")
        await page.goto("about:blank")  # a live page asks on, and would be told that it is signed out
        await page.context.clear_cookies()


async def test_copying_works_on_plain_http(guarded: Console, browse: Browse) -> None:
    id = guarded.run("greet", "Ada\n<b>")
    origin = f"http://console.test:{guarded.port}"
    page = await browse(guarded, f"/executions/{id}", base_url=origin, also=[origin])
    await sign_in(page)
    assert not await page.evaluate("isSecureContext")

    command = """defer trigger greet '"Ada\\n<b>"'"""
    buttons = {"[aria-label='Copy the command']": command, "[aria-label='Copy the id']": id}
    for selector, copied in {**buttons, "[data-copy-from]": "hello\nto all"}.items():
        await page.locator(selector).click()
        await expect(page.locator(selector)).to_have_text("Copied")
        await page.evaluate("document.body.append(document.createElement('textarea'))")
        await page.locator("textarea").last.press("Control+v")
        await expect(page.locator("textarea").last).to_have_value(copied)
