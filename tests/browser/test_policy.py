"""What every answer of the console carries, and what no answer gives."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.conftest import Browse
from tests.browser.consoles import Console
from tests.browser.elsewhere import another_site
from tests.browser.gallery import FAR_US
from tests.browser.routes import paths

_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_ELSEWHERE = ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "http://evil.test"})


async def test_every_answer_keeps_pages_from_doing_anything(console: Console, browse: Browse) -> None:
    id = console.run("greet", "Ada")
    page = await browse(console, f"/executions/{id}")
    files = await page.evaluate("performance.getEntriesByType('resource').map(({name}) => name)")
    assert {file.rpartition(".")[2] for file in files} >= {"css", "js"}

    for path in [*paths("GET", id=id, name="greet"), "/executions?status=asleep", "/executions/none", "/assets/none"]:
        answer = await page.request.get(path, max_redirects=0)
        assert _HEADERS.items() <= answer.headers.items(), path
        assert not [name for name in answer.headers if name.startswith("access-control-")], path
        assert answer.status >= 300 or answer.headers["cache-control"] == "no-store", path
    for file in files:
        answer = await page.request.get(file)
        assert _HEADERS.items() <= answer.headers.items(), file
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable", file


async def test_pages_of_other_sites_and_mere_links_change_nothing(console: Console, browse: Browse) -> None:
    id = console.call("greet", "nobody", scheduled_us=FAR_US)
    page = await browse(console)
    before = console.project.counts()

    for path in paths("POST", id=id, name="greet"):
        for headers in _ELSEWHERE:
            answer = await page.request.post(path, headers=headers, form={"sure": "1", "id": id, "do": "cancel"})
            assert answer.status == 403, path
        if path not in ("/sign-in", "/functions/greet/run"):
            answer = await page.request.get(path)
            assert answer.status in (404, 405), path
    assert console.project.counts() == before
    assert console.state(id) == "created"


async def test_no_page_is_shown_in_a_frame(console: Console, browse: Browse) -> None:
    with another_site({"/": f'<iframe src="{console.url}/"></iframe>'}) as elsewhere:
        page = await browse(console, also=[elsewhere], expected="frame-ancestors")
        async with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
            await page.goto(elsewhere)
        frame = page.frames[1]
        await expect(frame.locator("main")).to_have_count(0)
