"""The HTTP API of a real runner: calls that run, fail, are aborted, and outlive the runner."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from defer_cli.domain.ids import random_id
from defer_cli.web.server import bind
from tests.process.harness import DEADLINE_SECONDS, FAST, Project, Runner, until

pytestmark = pytest.mark.process

V2 = "/public/v2/executions"
FINAL = ("succeed", "failed", "cancelled", "aborted", "discarded")


class Api(httpx.Client):
    """A caller of a runner's API."""

    def __init__(self, runner: Runner) -> None:
        line = runner.until_line("runner ready", "url=")
        found = re.search(r"url=(\S+)", line)
        assert found is not None, line
        super().__init__(base_url=found[1], timeout=DEADLINE_SECONDS)

    def call(self, function: str, *arguments: Any, **fields: Any) -> str:
        """Store a call; return its id."""
        answer = self.put(V2, json={"function_name": function, "function_arguments": list(arguments), **fields})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"]["id"])

    def state(self, id: str) -> str:
        return str(self.get(f"{V2}/{id}").json()["data"]["state"])

    def end(self, id: str) -> httpx.Response:
        """Wait for the end of an execution; return the answer to the question for its result."""
        until(lambda: self.state(id) in FINAL, f"the end of {id}")
        return self.get(f"{V2}/{id}/results")


@pytest.fixture(scope="module")
def runner(make_project: Callable[[], Project]) -> Iterator[Runner]:
    project = make_project()
    project.write(
        echo="""
            @defer
            async def echo(*values, size=None):
                return [*values, size]
        """,
        fails=f"""
            @defer({FAST})
            async def fails(text):
                raise ValueError(text)
        """,
        sleeps="""
            @defer
            async def sleeps():
                note("sleeps")
                await asyncio.sleep(60)
        """,
    )
    with project.run("--port", "0", "--workers", "1") as runner:
        yield runner


@pytest.fixture
def api(runner: Runner) -> Iterator[Api]:
    with Api(runner) as api:
        yield api


def test_a_call_runs_and_its_result_is_told(api: Api) -> None:
    answer = api.end(api.call("echo", 1, {"a": [None]}, keyword_arguments={"size": 2}))

    assert (answer.status_code, answer.json()) == (200, [1, {"a": [None]}, 2])


async def test_a_small_answer_leaves_at_once() -> None:
    accepted: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    (end,) = bind("127.0.0.1", 0)
    async with await asyncio.start_server(lambda _, writer: accepted.put_nowait(writer), sock=end):
        _, caller = await asyncio.open_connection(*end.getsockname())
        writer = await accepted.get()

        assert writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        for one in (writer, caller):
            one.close()
            await one.wait_closed()


def test_a_failure_is_told_once_no_retry_is_left_with_every_attempt(api: Api) -> None:
    id = api.call("fails", "no way")
    answer = api.end(id)

    told = answer.json()
    assert (answer.status_code, told["message"], told["name"], told["code"]) == (200, "no way", "ValueError", "ER0003")
    assert "raise ValueError(text)" in told["stack"]
    attempts = api.post(f"{V2}/{id}/attempts", json={}).json()["data"]
    assert [(one["id"], one["state"]) for one in attempts] == [(f"{id}.{number}", "failed") for number in (3, 2, 1)]


def test_what_runs_is_aborted_when_it_is_forced(api: Api, runner: Runner) -> None:
    id = api.call("sleeps")
    until(lambda: api.state(id) == "started", "the start")

    assert api.get(f"{V2}/{id}/results").status_code == 202
    assert api.post(f"{V2}/{id}/cancellation", json={"force": False}).status_code == 409
    assert api.post(f"{V2}/{id}/cancellation", json={"force": True}).json()["data"]["state"] == "aborting"
    assert api.end(id).status_code == 204
    assert api.state(id) == "aborted"


def test_a_batch_runs_whole(api: Api) -> None:
    calls = [{"function_name": "echo", "function_arguments": [number]} for number in range(1_000)]
    told = api.post(f"{V2}/batch", json={"executions": calls}).json()["data"]

    last = told[-1]["id"]
    assert api.end(last).json() == [999, None]
    assert all(api.end(one["id"]).json() == [number, None] for number, one in enumerate(told[:50]))


def test_a_delayed_call_runs_once_it_is_rescheduled_for_now(api: Api) -> None:
    id = api.call("echo", schedule_for="2099-01-01T00:00:00.000Z")
    assert api.patch(f"{V2}/{id}/schedule", json={}).status_code == 200

    assert api.end(id).json() == [None]


def test_a_rerun_runs_again(api: Api) -> None:
    id = api.call("echo", 7)
    api.end(id)
    again = api.post(f"{V2}/{id}/reruns", json={}).json()["data"]["id"]

    assert api.end(again).json() == [7, None]


def test_every_call_that_was_answered_outlives_a_kill(project: Project) -> None:
    project.write(later="@defer\nasync def later(): ...\n")
    with project.run("--port", "0", "--workers", "1") as runner, Api(runner) as api:
        ids = [api.call("later", schedule_for="2099-01-01T00:00:00Z", id=random_id()) for _ in range(20)]
        body = {"executions": [{"function_name": "later", "schedule_for": "2099-01-01T00:00:00Z"}] * 100}
        ids += [one["id"] for one in api.post(f"{V2}/batch", content=json.dumps(body)).json()["data"]]
        runner.kill()

    with project.reader() as reader:
        assert [id for id in ids if reader.get(id) is None] == []
