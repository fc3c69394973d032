"""Who comes in, and how, where there is a token."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio

from defer_cli.console import signing
from defer_cli.console.app import owns
from tests.unit.console.harness import Console

TOKEN = "s3cret"


@pytest_asyncio.fixture
async def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Console]:
    monkeypatch.setattr(signing, "_PAUSE_SECONDS", 0)
    console = Console(tmp_path, token=TOKEN)
    yield console
    await console.close()


async def test_a_page_leads_to_the_sign_in_and_back(closed: Console) -> None:
    id = await closed.in_state("succeed")
    path = f"/executions/{id}?tab=logs&lines=all"
    led = await closed.browser.get(path)
    assert led.headers["location"] == f"/sign-in?next={quote(path, safe='')}"
    form = await closed.browser.get(led.headers["location"], headers={"sec-fetch-site": "none"})
    assert f'name="next" value="/executions/{id}?tab=logs&amp;lines=all"' in form.text
    signed = await closed.submit("/sign-in", token=TOKEN, next=path)
    assert (signed.status_code, signed.headers["location"]) == (303, path)
    assert "<h1" in await closed.page(path)


async def test_a_wrong_token_says_so_and_keeps_where_to_go(closed: Console) -> None:
    answer = await closed.submit("/sign-in", token="guess", next="/functions")
    assert answer.status_code == 403
    assert "That is not the token." in answer.text
    assert 'value="/functions"' in answer.text
    assert "set-cookie" not in answer.headers


async def test_who_guesses_is_told_to_wait(closed: Console) -> None:
    answers = [(await closed.submit("/sign-in", token="guess")).status_code for _ in range(11)]
    assert answers == [403] * 10 + [429]


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "evil",
        "",
        "/sign-out",
        "/a\nb",
        "javascript:alert(1)",
    ],
)
async def test_the_way_back_stays_here(closed: Console, path: str) -> None:
    answer = await closed.submit("/sign-in", token=TOKEN, next=path)
    assert answer.headers["location"] == "/"


async def test_nothing_is_changed_without_a_session(closed: Console) -> None:
    id = await closed.in_state("created")
    answer = await closed.submit(f"/executions/{id}/cancel")
    assert answer.headers["location"] == "/sign-in"
    assert (await closed.backend.ask("execution", id=id))["state"] == "created"


async def test_events_are_refused_without_a_session(closed: Console) -> None:
    id = await closed.in_state("created")
    assert (await closed.browser.get(f"/executions/{id}?live=x")).status_code == 401


async def test_a_link_from_a_chat_is_asked_for_again_from_a_page_of_ours(closed: Console) -> None:
    asked = "next=%2Fexecutions%2Fa%22b%3Fx%3D%253C"
    for told in ({"sec-fetch-site": "cross-site"}, {}):  # on plain http, browsers tell nothing
        answer = await closed.browser.get("/executions/a%22b?x=%3C", headers=told)
        assert answer.headers["location"] == f"/sign-in?{asked}"
        answer = await closed.browser.get(f"/sign-in?{asked}", headers=told)
        assert f'<meta http-equiv="refresh" content="0;url=/sign-in?again=1&amp;{asked}">' in answer.text
    await closed.submit("/sign-in", token=TOKEN)
    answer = await closed.browser.get(f"/sign-in?again=1&{asked}")
    assert answer.headers["location"] == "/executions/a%22b?x=%3C"


async def test_who_signs_out_is_out(closed: Console) -> None:
    signed = await closed.submit("/sign-in", token=TOKEN)
    kept = signed.headers["set-cookie"].partition(";")[0]
    out = await closed.submit("/sign-out")
    assert out.headers["location"] == "/sign-in?done=signed-out"
    again = await closed.browser.get("/executions/x", headers={"cookie": kept})
    assert again.headers["location"].startswith("/sign-in")


async def test_files_of_pages_are_open_and_say_nothing(closed: Console) -> None:
    page = await closed.page("/sign-in")
    style = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    answer = await closed.browser.get(style)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (await closed.browser.get("/assets/..%2fapp.py")).status_code == 404


async def test_every_answer_keeps_what_it_shows_from_doing_anything(closed: Console) -> None:
    for path in ("/", "/sign-in", "/assets/none.js", "/executions/x", "/executions/x?live=1"):
        headers = (await closed.browser.get(path)).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert headers["x-frame-options"] == "DENY"


async def test_without_a_token_there_is_nothing_to_sign_in_to(console: Console) -> None:
    assert (await console.browser.get("/sign-in")).headers["location"] == "/"
    assert (await console.submit("/sign-in", token="x")).headers["location"] == "/"


@pytest.mark.parametrize(
    ("path", "is_ours"),
    [("/", True), ("/executions/x", True), ("/assets/a", True), ("/public/v2/executions", False), ("/health", False),
     ("/executionsx", False), ("//executions", False), ("", False), ("*", False)],
)  # fmt: skip
def test_the_console_has_its_own_paths_and_no_others(path: str, is_ours: bool) -> None:
    assert owns(path) is is_ours
