"""Every stored field full of what would run, lead away or hide, and every page that shows it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlencode

import pytest
from playwright.async_api import Page, expect

from defer_cli.domain.visible import visible
from tests.browser import payloads
from tests.browser.axe import too_wide
from tests.browser.conftest import Browse
from tests.browser.consoles import Console, developing, serving, sources
from tests.browser.payloads import HIDDEN, HIT, PAYLOADS, PRINTABLE, SHORT
from tests.browser.routes import paths
from tests.process.harness import Project

_NAME = "<img src=x onerror=window.__hit=1>\"'{{7*7}}\u202e"
_TABS = ("logs", "arguments", "outcome", "attempts", "children", "metadata")
_GONE = PAYLOADS[0]
_FUNCTIONS = f"""
    @defer(retry=False)
    async def victim(*args, **more):
        for payload in args:
            print(payload)
            print(payload, file=sys.stderr)
        return {{"list": args, **more}}

    @defer(retry=False)
    async def thrower(*args, **more):
        {PAYLOADS[0]!r}
        await asyncio.sleep(0)  # <script>window.__hit=1</script>
        raise type(args[0], (Exception,), {{"__module__": args[1]}})("\\n".join(args))  # <img src=x onerror={HIT}>

    @defer
    async def later(first={PAYLOADS[0]!r}, **more):
        {PAYLOADS[1]!r}
        from payloads import PAYLOADS
        await until_noted("go")
        for payload in PAYLOADS:
            print(payload)
        await until_noted("end")
        raise ValueError("\\n".join(PAYLOADS))
"""


class Filled(NamedTuple):
    """A console whose store is full of payloads, and the executions that hold them."""

    console: Console
    ids: dict[str, str]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    project = Project(tmp_path_factory.mktemp("a") / _NAME)
    project.write(**sources(_FUNCTIONS))
    shutil.copy(payloads.__file__, project.root / "src")
    everything = {"args": list(PAYLOADS), "kwargs": {payload: payload for payload in PAYLOADS}}
    marks = {payload: payload for payload in PRINTABLE}
    try:
        with serving(project) as console:
            ids = {
                "victim": console.run_with("victim", everything, metadata=marks, key=PRINTABLE[0]),
                "thrower": console.run_with("thrower", everything, metadata=marks),
                "gone": console.run_with("thrower", everything),
            }
        _spoil(project.data / "defer.db", ids["gone"])
        _break(project)
        with developing(project) as console:
            ids["later"] = console.running("later")
            yield Filled(console, ids)
    finally:
        project.end()


def _break(project: Project) -> None:
    """Break the rule of the folder in files whose names and faults are told."""
    for payload in (PAYLOADS[0], PAYLOADS[17], "{{7*7}}"):
        (project.folder / f"{payload}.py").write_text("")
    (project.folder / "unimportable.py").write_text(f"raise ValueError({PAYLOADS[1]!r})\n")


def _spoil(path: Path, id: str) -> None:
    """Fill what only defer itself writes, as whoever can write the file might."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "UPDATE executions SET function = ?, runner = ?, error_code = ? WHERE id = ?",
            (_GONE, PAYLOADS[0], PAYLOADS[2], id),
        )
        database.execute("INSERT INTO counters VALUES (?, 'failed', 1)", (_GONE,))
        database.execute("UPDATE runners SET name = ?", (PAYLOADS[0],))


def addresses(filled: Filled) -> list[str]:
    """Return every page, with every execution where it shows one."""
    found = ["/functions?q=" + quote(PAYLOADS[1]), "/executions?" + quote(f"status={PAYLOADS[0]}", safe="=")]
    found += [f"/?done={quote(payload)}&range={quote(payload)}" for payload in PAYLOADS[:2]]
    filters = [("function", _GONE), ("metadata_key", PAYLOADS[1])]
    filters += [(f"metadata.{payload}", payload) for payload in PRINTABLE[:3]]
    found += [f"/executions?{urlencode(filters)}", f"/executions?{urlencode(filters[:1])}", "/executions?focus=filter"]
    for word, id in filled.ids.items():
        name = _GONE if word == "gone" else word
        for path in paths("GET", id=id, name=quote(name, safe="")):
            if not path.endswith((".txt", ".json")) and not path.startswith("/executions/changes/"):
                found.append(path)
        found += [f"/executions/{id}?tab={tab}" for tab in _TABS]
    found.append(f"/executions/{quote(PAYLOADS[0], safe='')}?tab={quote(PAYLOADS[1])}")
    return list(dict.fromkeys(found))


_LOOK = """() => {
    const all = [...document.querySelectorAll("*")];
    const attributes = all.flatMap((one) => [...one.attributes]);
    const leads = attributes.filter(({name}) => ["href", "action", "src", "formaction", "data-live"].includes(name));
    const told = attributes.filter(({name}) => ["title", "aria-label", "placeholder"].includes(name));
    return {
        hit: window.__hit,
        foreign: all.filter((one) => one.matches(
            "img, iframe, base, object, embed, template, meta[http-equiv], script:not([src])")).length,
        handlers: attributes.filter(({name}) => name.startsWith("on") || name === "style" || name === "srcdoc").length,
        away: leads.map(({value}) => value).filter((where) => new URL(where, location.href).origin !== location.origin),
        text: document.title + document.body.textContent + told.map(({value}) => value).join(""),
    };
}"""


async def faults(page: Page) -> list[str]:
    """Return what of a page's text has become anything but text."""
    found = await page.evaluate(_LOOK)
    text = found.pop("text")
    wrong = [f"{what}: {told}" for what, told in found.items() if told not in (None, 0, [])]
    wrong += [f"{letter!a} is there" for letter in HIDDEN if letter in text]
    if "[[49]]" in text:
        wrong.append("7*7 was worked out")
    return [f"{page.url}: {one}" for one in wrong] + await too_wide(page)


@pytest.mark.parametrize("width", [1280, 390])
async def test_what_is_stored_is_shown_and_does_nothing(filled: Filled, browse: Browse, width: int) -> None:
    page = await browse(filled.console, viewport={"width": width, "height": 800})

    found = []
    for address in addresses(filled):
        answer = await page.goto(address)
        assert answer is not None
        assert answer.status < 500, address
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        found += await faults(page)
    await page.goto(f"/executions?function={quote(_GONE)}")
    await page.locator("summary", has_text="that match").click()
    await page.get_by_role("button", name="Rerun all").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Rerun 1 execution?")
    found += await faults(page)
    assert not found
    await page.goto(f"/executions/{filled.ids['victim']}?tab=metadata")
    shown = await page.locator("main dd").all_inner_texts()
    assert {visible(payload) for payload in PRINTABLE} <= set(shown)
    await page.goto(f"/executions/{filled.ids['victim']}?tab=logs")
    lines = "\n".join(await page.locator(".log-text").all_text_contents())
    assert [one for one in SHORT if "\r" not in one and visible(one) not in lines] == []


async def test_what_comes_while_a_page_is_open_does_nothing(filled: Filled, browse: Browse) -> None:
    page = await browse(filled.console, f"/executions/{filled.ids['later']}?tab=logs")
    outcome = await page.context.new_page()
    await outcome.goto(f"/executions/{filled.ids['later']}?tab=outcome")
    filled.console.project.note("go")
    await page.bring_to_front()
    await expect(page.locator(".log-text").first).to_have_text(PAYLOADS[0])
    filled.console.project.note("end")
    await expect(page.locator("#head .state")).to_have_text("retrying")
    assert not await faults(page)
    await outcome.bring_to_front()
    await expect(outcome.locator(".message")).to_contain_text(PAYLOADS[0])
    assert not await faults(outcome)


async def test_files_are_no_pages(filled: Filled, browse: Browse) -> None:
    page = await browse(filled.console)

    for path in paths("GET", id=filled.ids["victim"], name="victim"):
        if path.endswith((".txt", ".json")):
            answer = await page.request.get(path)
            kind = "text/plain; charset=utf-8" if path.endswith(".txt") else "application/json"
            assert answer.headers["content-type"] == kind
            assert answer.headers["x-content-type-options"] == "nosniff"
            if path.endswith(".json"):
                json.loads(await answer.text())
