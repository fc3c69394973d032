"""One request, one answer: what each failure of it means, and what is sent with it."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from defer_cli.client.http_endpoint import Endpoint
from defer_cli.client.http_session import Session
from defer_cli.client.routes import ConnectionLost, Unreached
from defer_cli.domain.errors import SettingError

ENDPOINT = Endpoint("http://runner:3337", "runner", "a-secret")
OURS = {"error": "unavailable", "message": "full", "detail": {"kind": "StoreError", "problem": "full"}}


def session(answer: Callable[[httpx.Request], httpx.Response]) -> Session:
    return Session(ENDPOINT, transport=httpx.MockTransport(answer))


def failing(error: type[httpx.TransportError]) -> Session:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error("it broke", request=request)

    return session(fail)


def test_a_request_carries_the_token_and_its_body() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=b'{"data":1}')

    reply = session(answer).send("POST", "/public/v2/executions/batch", b"{}")

    assert (reply.status, reply.body) == (200, b'{"data":1}')
    (request,) = seen
    assert str(request.url) == "http://runner:3337/public/v2/executions/batch"
    assert request.headers["authorization"] == ENDPOINT.authorization
    assert (request.headers["content-type"], request.content) == ("application/json", b"{}")


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
def test_what_nobody_took_is_known_to_be_unsent(error: type[httpx.TransportError]) -> None:
    with pytest.raises(Unreached, match="no runner can be reached at http://runner:3337: it broke; start") as told:
        failing(error).send("GET", "/")

    assert "a-secret" not in str(told.value)


@pytest.mark.parametrize("error", [httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.RemoteProtocolError])
def test_what_may_have_arrived_is_lost(error: type[httpx.TransportError]) -> None:
    with pytest.raises(ConnectionLost, match="the runner at http://runner:3337 gave no answer: it broke") as told:
        failing(error).send("GET", "/")

    assert not isinstance(told.value, Unreached)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error":"unavailable","message":"stopping"}', b"\xff"])
def test_what_stands_before_a_runner_may_be_busy(status: int, body: bytes) -> None:
    with pytest.raises(ConnectionLost, match=rf"http://runner:3337 is busy \({status}\)"):
        session(lambda request: httpx.Response(status, content=body)).send("GET", "/")


def test_what_a_runner_itself_refuses_is_an_answer() -> None:
    reply = session(lambda request: httpx.Response(503, json=OURS)).send("GET", "/")

    assert reply.status == 503


@pytest.mark.parametrize(
    ("status", "where", "mend"),
    [
        (401, "DEFER_TOKEN", "set DEFER_TOKEN to the token of that runner"),
        (403, "DEFER_ENDPOINT", "set DEFER_ENDPOINT to an address of that runner"),
        (421, "DEFER_ENDPOINT", "set DEFER_ENDPOINT to an address of that runner"),
    ],
)
def test_who_is_not_let_in_is_told_what_to_set(status: int, where: str, mend: str) -> None:
    body = {"error": "x", "message": "this host is not served"}
    with pytest.raises(SettingError, match=rf"let this process in: this host is not served \({status}\)") as told:
        session(lambda request: httpx.Response(status, json=body)).send("GET", "/")

    assert (told.value.where, told.value.mend) == (where, mend)


def test_a_redirect_is_not_followed() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.host)
        return httpx.Response(307, headers={"location": "https://elsewhere.example/"})

    with pytest.raises(SettingError, match="answers with a redirect to https://elsewhere.example/"):
        session(answer).send("GET", "/")
    assert seen == ["runner"]


def test_what_is_no_answer_of_this_api_is_shown_in_part() -> None:
    sender = session(lambda request: httpx.Response(200, content=b"<html>" * 1_000))
    error = sender.strange(sender.send("GET", "/"))

    assert "http://runner:3337 answered 200 with what is no answer of this API: '<html>" in str(error)
    assert len(str(error)) < 500
