"""What every request meets: paths and methods that nobody serves, faults of ours, and that asking changes nothing."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from defer_cli.api.app import build_app
from defer_cli.domain.errors import StoreError, StoreFull
from tests.unit.api.harness import V2, Api


@pytest.mark.parametrize(
    "path",
    ["/", "/public", V2, f"{V2}/executions/", f"{V2}/executions/a/b", f"{V2}/executions/x/nothing", "/public/v3/x"],
)
async def test_a_path_that_nobody_serves_is_404_in_json(api: Api, path: str) -> None:
    answer = await api.send("GET", path)

    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "executions", "GET, HEAD, POST, PUT"),
        ("PUT", "executions/x", "GET, HEAD"),
        ("GET", "executions/x/cancellation", "POST"),
        ("POST", "executions/x/schedule", "PATCH"),
        ("OPTIONS", "executions", "GET, HEAD, POST, PUT"),
    ],
)
async def test_a_method_that_a_path_does_not_know_is_405_and_names_those_it_does(
    api: Api, method: str, path: str, allowed: str
) -> None:
    answer = await api.ask(method, path)

    assert (answer.status_code, answer.json()["error"]) == (405, "method_not_allowed")
    assert ", ".join(sorted(answer.headers["allow"].split(", "))) == allowed


async def test_a_fault_of_ours_tells_nothing_of_itself(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def break_down(name: str, **_: Any) -> Any:
        raise RuntimeError("the secret of " + name)

    monkeypatch.setattr(api.backend, "ask", break_down)
    answer = await api.ask("GET", "executions")

    assert (answer.status_code, answer.json()["error"]) == (500, "internal_error")
    assert "secret" not in answer.text


async def test_a_fault_while_a_call_is_stored_tells_nothing_of_itself(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_down(calls: Any) -> Any:
        raise RuntimeError("a secret")

    monkeypatch.setattr(api.backend, "insert", break_down)
    answer = await api.ask("PUT", "executions", {"function_name": "compute"})

    assert (answer.status_code, answer.json()["error"]) == (500, "internal_error")
    assert "secret" not in answer.text


async def test_a_body_that_comes_in_pieces_is_one_and_one_that_ends_early_is_refused(api: Api) -> None:
    async def told(*messages: dict[str, Any]) -> list[Any]:
        left, sent = list(messages), []

        async def receive() -> dict[str, Any]:
            return left.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "PUT", "path": f"{V2}/executions", "headers": [], "query_string": b""}
        await build_app(api.backend)(scope, receive, send)
        return [sent[0]["status"], json.loads(sent[1]["body"])]

    begun = {"type": "http.request", "body": b'{"function_name":', "more_body": True}
    status, body = await told(begun, {"type": "http.request", "body": b'"compute"}'})
    assert (status, body["data"]["function_name"]) == (201, "compute")
    assert await told(begun, {"type": "http.disconnect"}) == [
        400,
        {"error": "bad_request", "message": "the body ended early"},
    ]


@pytest.mark.parametrize(("kind", "status"), [(StoreError, 503), (StoreFull, 507)])
async def test_a_store_that_takes_nothing_says_so_and_not_where_it_is(
    api: Api, monkeypatch: pytest.MonkeyPatch, kind: type[StoreError], status: int
) -> None:
    async def refuse(calls: Any) -> Any:
        raise kind("the disk is ill", where="/srv/app/.defer/defer.db", mend="look after it")

    monkeypatch.setattr(api.backend, "insert", refuse)
    answer = await api.ask("PUT", "executions", {"function_name": "compute"})

    assert (answer.status_code, answer.json()["message"]) == (status, "the disk is ill; look after it")
    assert "/srv" not in answer.text


async def test_asking_changes_nothing(api: Api) -> None:
    id = await api.retried()
    before = (await api.ask("GET", "executions")).json()
    for path in ("", "/results", "/arguments", "/attempts"):
        assert (await api.ask("GET", f"executions/{id}{path}")).is_success

    assert (await api.ask("GET", "executions")).json() == before


async def test_an_error_is_the_same_error_again_at_the_other_end(api: Api) -> None:
    import msgspec

    from defer_cli.domain.changes import Refusal
    from defer_cli.domain.errors import ExecutionNotCancellable

    id = await api.in_state("started")
    detail = (await api.ask("POST", f"executions/{id}/cancellation", {})).json()["detail"]
    error = msgspec.convert(detail, Refusal).error()

    assert isinstance(error, ExecutionNotCancellable)
    assert (error.state, error.where) == ("started", id)
    assert error.mend is not None


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
