"""The form that runs a function: what it asks for, what it stores, and what it says of what is wrong."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from defer_cli.domain.function import Parameter
from defer_cli.domain.ids import keyed_id
from tests.unit.api.harness import function
from tests.unit.console.harness import Console

FUNCTIONS = (
    function(
        "resize",
        Parameter(name="path", kind="positional_or_keyword"),
        Parameter(name="width", kind="positional_or_keyword", has_default=True),
        Parameter(name="height", kind="positional_or_keyword", has_default=True),
        Parameter(name="more", kind="var_positional"),
        Parameter(name="quality", kind="keyword_only", has_default=True),
        Parameter(name="rest", kind="var_keyword"),
    ),
    function(
        "divide",
        Parameter(name="a", kind="positional_only", has_default=True),
        Parameter(name="b", kind="positional_only", has_default=True),
    ),
    function("weekly", kind="cron"),
)
NOTHING: Mapping[str, str] = {}


@pytest_asyncio.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    console = Console(tmp_path, FUNCTIONS)
    yield console
    await console.close()


async def run(
    console: Console, name: str = "resize", arguments: Mapping[str, str] = NOTHING, options: Mapping[str, str] = NOTHING
) -> httpx.Response:
    fields = {f"argument.{key}": value for key, value in arguments.items()}
    return await console.submit(f"/functions/{name}/run", **fields, **options)


async def stored(console: Console, answer: httpx.Response) -> str:
    """Return the stored arguments of the execution that an answer leads to."""
    assert answer.status_code == 303, answer.text
    found = re.fullmatch(r"/executions/(\w+)\?done=triggered", answer.headers["location"])
    assert found is not None
    told: str = await console.backend.ask("arguments", id=found[1])
    return told


async def faults(console: Console, answer: httpx.Response) -> dict[str, str]:
    """Return what a form says is wrong, by field; what was typed is still in it."""
    assert answer.status_code == 400
    told = re.findall(r'<p class="problem" (?:id="fault-([^"]+)"|role="alert")>(.*?)</p>', answer.text)
    count = await console.backend.ask("counts")
    assert count == {}
    return {field: html.unescape(text) for field, text in told}


async def test_the_form_asks_for_every_parameter(console: Console) -> None:
    page = await console.page("/functions/resize/run")

    assert re.findall(r'<textarea id="argument\.(\w+)"', page) == [
        "path",
        "width",
        "height",
        "more",
        "quality",
        "rest",
    ]
    assert "(path, width=…, height=…, *more, quality=…, **rest)" in page


async def test_a_cron_takes_nothing_and_runs_at_once(console: Console) -> None:
    assert "It takes no arguments." in await console.page("/functions/weekly/run")
    assert await stored(console, await run(console, "weekly")) == "[]"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"path": '"a.png"'}, '["a.png"]'),
        ({"path": '"a"', "width": "1", "height": "2", "more": "[3, 4]"}, '["a",1,2,3,4]'),
        ({"path": '"a"', "height": "2"}, '{"args":["a"],"kwargs":{"height":2}}'),
        ({"path": '"a"', "quality": "9", "rest": '{"mode": "x"}'}, '{"args":["a"],"kwargs":{"quality":9,"mode":"x"}}'),
        ({"path": " \n12345678901234567890123 "}, "[12345678901234567890123]"),
        ({"path": "null"}, "[null]"),
        ({"path": '"é\u2028"'}, '["é\u2028"]'),
    ],
    ids=["one", "all by position", "one left out", "by name", "a large number", "null", "text"],
)
async def test_arguments_are_stored_as_a_call_would_give_them(
    console: Console, arguments: dict[str, str], expected: str
) -> None:
    assert await stored(console, await run(console, arguments=arguments)) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "field", "words"),
    [
        ("resize", {}, "argument.path", "It needs a value."),
        ("resize", {"path": "a.png"}, "argument.path", 'Write text in quotes: "text".'),
        ("resize", {"path": "[1,"}, "argument.path", "It is not JSON"),
        ("resize", {"path": "NaN"}, "argument.path", "NaN is not JSON."),
        ("resize", {"path": "1" * 5_000}, "argument.path", "more digits than Python reads"),
        ("resize", {"path": "[" * 100_000}, "argument.path", "nested too deeply"),
        ("resize", {"path": "1", "more": "3"}, "argument.more", "JSON array"),
        ("resize", {"path": "1", "rest": "[]"}, "argument.rest", "JSON object"),
        ("resize", {"path": "1", "rest": '{"width": 1}'}, "argument.rest", "width has a field of its own."),
        ("resize", {"path": "1", "more": "[1]"}, "argument.width", "more comes after it"),
        ("divide", {"b": "0"}, "argument.a", "b comes after it"),
        ("resize", {"path": '"\\ud800"'}, "", "lone surrogate"),
        ("resize", {"path": "[" * 101 + "]" * 101}, "", "nested deeper than 100"),
    ],
    ids=[
        "missing",
        "bare text",
        "half",
        "not a number",
        "digits",
        "endless",
        "no array",
        "no object",
        "twice",
        "a gap before the rest",
        "a gap",
        "no text",
        "too deep",
    ],
)
async def test_what_is_wrong_is_said_beside_the_field(
    console: Console, name: str, arguments: dict[str, str], field: str, words: str
) -> None:
    answer = await run(console, name, arguments)
    told = await faults(console, answer)

    assert words in told[field]
    assert not field or f'aria-describedby="fault-{field}"' in answer.text
    assert all(html.escape(typed, quote=False) in html.unescape(answer.text) for typed in arguments.values())


async def test_options_are_those_of_a_call(console: Console) -> None:
    options = {"delay": "1h", "discard_after": "2 h", "key": " order-1 ", "metadata": "user=12\n\nplan = pro=1 \n"}
    answer = await run(console, arguments={"path": "1"}, options=options)
    found = await console.get(keyed_id("resize", "order-1"))

    assert answer.headers["location"] == f"/executions/{found.id}?done=triggered"
    assert found.metadata == {"user": "12", "plan": "pro=1"}
    assert found.discard_after is not None
    assert (found.discard_after - found.scheduled_at).total_seconds() == pytest.approx(3600, abs=1)


async def test_a_key_that_is_held_leads_to_its_execution(console: Console) -> None:
    first = await run(console, arguments={"path": "1"}, options={"key": "k"})
    second = await run(console, arguments={"path": "1"}, options={"key": "k"})

    assert second.headers["location"] == first.headers["location"].replace("triggered", "held")
    assert "nothing was enqueued" in await console.page(second.headers["location"])


async def test_a_key_of_another_call_is_told(console: Console) -> None:
    await run(console, arguments={"path": "1"}, options={"key": "k"})
    answer = await run(console, arguments={"path": "2"}, options={"key": "k"})

    assert answer.status_code == 400
    assert 'id="fault-key"' in answer.text


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("delay", "soon", "not a duration"),
        ("discard_after", "-1 h", "not a duration"),
        ("key", "k" * 300, "256"),
        ("metadata", "user", "key=value"),
        ("metadata", "naïve=1", "ASCII"),
    ],
    ids=["delay", "discard after", "key", "metadata without a value", "metadata"],
)
async def test_what_is_wrong_with_an_option_is_said_beside_it(
    console: Console, field: str, typed: str, words: str
) -> None:
    answer = await run(console, arguments={"path": "1"}, options={field: typed})
    told = await faults(console, answer)

    assert words in told[field]
    assert '<details class="options" open>' in answer.text


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_is_not_there_cannot_be_run(console: Console, method: str) -> None:
    answer = await console.browser.request(method, "/functions/nothing/run")

    assert answer.status_code == 404
    assert "nothing" in answer.text


async def test_what_was_typed_is_text(console: Console) -> None:
    hostile = "</textarea><script>alert(1)</script>"
    answer = await run(console, arguments={"path": hostile}, options={"metadata": hostile, "key": hostile})

    assert "<script>alert" not in answer.text
    assert answer.text.count("\n&lt;/textarea&gt;") == 2
