"""Every request passes the guard: the right host, the token, and no change for pages of other sites."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from defer_cli.web.guard import Guard
from defer_cli.web.hosts import Hosts
from defer_cli.web.refusals import RefusalLog
from defer_cli.web.tokens import Token

Headers = Iterable[tuple[bytes, bytes]]
HOST = (b"host", b"127.0.0.1:3337")
SHOWN = (b"authorization", b"Bearer s3cret")


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


class Answer:
    def __init__(self, messages: list[Message]) -> None:
        start, body = messages
        self.status: int = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        self.body: Any = json.loads(body["body"])


async def asked(
    *headers: tuple[bytes, bytes], method: str = "GET", path: str = "/x", token: str | None = "s3cret"
) -> Answer:
    messages: list[Message] = []
    parts = [{"type": "http.request", "body": b"x", "more_body": more} for more in (False, True)]

    async def receive() -> Message:
        return parts.pop()

    async def send(message: Message) -> None:
        messages.append(message)

    guard = Guard(app, hosts=Hosts(host="127.0.0.1", port=3337), token=None if token is None else Token(token))
    await guard({"type": "http", "method": method, "path": path, "headers": list(headers)}, receive, send)
    return Answer(messages)


async def status_of(*headers: tuple[bytes, bytes], **request: Any) -> int:
    return (await asked(*headers, **request)).status


async def test_who_shows_the_token_at_the_right_host_passes() -> None:
    assert await status_of(HOST, SHOWN) == 299


async def test_without_the_token_the_answer_asks_for_it() -> None:
    for headers in ([HOST], [HOST, (b"authorization", b"Bearer \xff\x00")]):
        answer = await asked(*headers)

        assert (answer.status, answer.body["error"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Basic ")


async def test_where_there_is_no_token_any_will_do() -> None:
    assert await status_of(HOST, token=None) == 299
    assert await status_of(HOST, (b"authorization", b"Bearer other"), token=None) == 299


async def test_health_needs_no_token_and_metrics_do() -> None:
    assert await status_of(HOST, path="/health") == 299
    assert [await status_of(HOST, path=path) for path in ("/metrics", "/health/", "/openapi.json")] == [401, 401, 401]


@pytest.mark.parametrize("headers", [[], [HOST, HOST], [(b"host", b"")], [(b"host", b"a b")]])
async def test_a_missing_doubled_or_odd_host_is_a_bad_request(headers: list[tuple[bytes, bytes]]) -> None:
    assert await status_of(*headers, SHOWN) == 400


async def test_another_host_is_refused_before_the_token_is_looked_at() -> None:
    answer = await asked((b"host", b"evil.example"), SHOWN)

    assert (answer.status, answer.body["error"]) == (403, "forbidden")
    assert "allowed_hosts" in answer.body["message"]


async def test_two_tokens_are_one_too_many() -> None:
    assert await status_of(HOST, SHOWN, SHOWN) == 400


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE", "BREW"])
@pytest.mark.parametrize(
    "header",
    [
        (b"sec-fetch-site", b"cross-site"),
        (b"sec-fetch-site", b"same-site"),
        (b"sec-fetch-site", b""),
        (b"origin", b"http://evil.example"),
        (b"origin", b"null"),
        (b"origin", b"http://127.0.0.1:8080"),
        (b"origin", b"http://127.0.0.1"),
        (b"origin", b"http://127.0.0.1:3337.evil.example"),
        (b"origin", b"file://127.0.0.1:3337"),
        (b"origin", b"\xff"),
    ],
)
async def test_a_page_of_another_site_changes_nothing(method: str, header: tuple[bytes, bytes]) -> None:
    assert await status_of(HOST, SHOWN, header, method=method) == 403
    assert await status_of(HOST, header, method=method, token=None) == 403


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"sec-fetch-mode", b"cors")],
        [(b"sec-fetch-site", b"none")],
        [(b"sec-fetch-site", b"same-origin"), (b"origin", b"http://127.0.0.1:3337")],
        [(b"origin", b"HTTPS://127.0.0.1:3337")],
    ],
    ids=["a program", "fetch of Node", "a typed address", "our own page", "our own page behind TLS"],
)
async def test_programs_and_our_own_pages_may_change_things(headers: list[tuple[bytes, bytes]]) -> None:
    assert await status_of(HOST, SHOWN, *headers, method="PUT") == 299


async def test_a_link_from_another_site_may_be_followed() -> None:
    assert await status_of(HOST, SHOWN, (b"sec-fetch-site", b"cross-site")) == 299


async def test_nothing_is_ever_shared_with_other_origins() -> None:
    for method in ("GET", "PUT", "OPTIONS"):
        for headers in ([HOST, SHOWN], [HOST], [SHOWN]):
            answer = await asked(*headers, (b"origin", b"http://evil.example"), method=method)
            assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_the_log_says_that_requests_were_refused_and_not_what_they_sent(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            await asked(HOST, (b"authorization", b"Bearer almost-s3cret"), path="/secret-path")

    assert "401" in caplog.text
    assert "s3cret" not in caplog.text
    assert "secret-path" not in caplog.text


def test_a_flood_of_refusals_is_a_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    seconds = [0.0]
    log = RefusalLog(clock=lambda: seconds[0])
    with caplog.at_level(logging.WARNING):
        for second in range(119):
            seconds[0] = float(second)
            for _ in range(100):
                log.tell(401, "unauthorized")
        log.tell(403, "forbidden")

    assert [record.getMessage().partition("HTTP: ")[2] for record in caplog.records] == [
        "1 with 401 (unauthorized)",
        "6000 with 401 (unauthorized)",
        "1 with 403 (forbidden)",
    ]
