"""Calls, changes and waits over HTTP: what is lost is made once, and where nobody is, that is said."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from defer_cli import (
    Execution,
    NoRunner,
    Page,
    State,
    Unconfirmed,
    cancel_execution,
    get_execution,
    list_executions,
    rerun_execution,
    reschedule_execution,
)
from defer_cli.client import process
from defer_cli.client.calls import Call, ResultCall, make_call, make_result_call
from defer_cli.client.lanes import forget_lanes
from defer_cli.client.sender import Sender
from tests.process.harness import Client, Project, Runner, until
from tests.process.http_proxy import HttpProxy, Lost
from tests.unit.client.conftest import Function

pytestmark = pytest.mark.process

TOKEN = "a token of these tests"
LATER = datetime(2033, 5, 18, tzinfo=UTC)
LATER_US = int(LATER.timestamp() * 1_000_000)
LOSSES: list[Lost] = ["request", "answer"]
FUNCTIONS = {
    "echo": """
        @defer
        async def echo(value=None):
            return value
        """,
    "hold": """
        @defer
        async def hold(name):
            note(name)
            await until_noted(f"{name}-go")
            return name
        """,
}


async def _anything(value: object = None) -> None:
    """Stand for a function of the project: an application on another machine has its file, too."""


def function(name: str) -> Function:
    return Function("/nowhere/defer/" + name, fn=_anything, name=name)


def call(name: str, *arguments: object) -> Call:
    return make_call(function(name), arguments, {})


def result(name: str, *arguments: object) -> ResultCall[object]:
    return make_result_call(function(name), arguments, {})


def new_project(make_project: Callable[[], Project]) -> Project:
    project = make_project()
    project.write(**FUNCTIONS)
    project.runner_environment["DEFER_TOKEN"] = TOKEN
    return project


@pytest.fixture(scope="module")
def steady(make_project: Callable[[], Project]) -> Project:
    return new_project(make_project)


@pytest.fixture(scope="module")
def runner(steady: Project) -> Iterator[Runner]:
    with steady.run("--workers", "1", "--port", "0") as runner:
        yield runner


@pytest.fixture
def client(runner: Runner) -> Iterator[Client]:
    with runner.client() as client:
        yield client


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpProxy]:
    """Send what is called and asked in this process through a proxy; ``target`` says where it leads."""
    monkeypatch.setattr(process, "_sender", Sender())
    forget_lanes()
    with HttpProxy("http://127.0.0.1:9") as proxy:
        monkeypatch.setenv("DEFER_TOKEN", TOKEN)
        monkeypatch.setenv("DEFER_ENDPOINT", proxy.url)
        yield proxy
    forget_lanes()


@pytest.fixture
def led(proxy: HttpProxy, runner: Runner) -> HttpProxy:
    """Lead the proxy to the runner of this module."""
    proxy.target = runner.url
    return proxy


@pytest.mark.parametrize("lost", LOSSES)
async def test_a_call_is_stored_once(steady: Project, led: HttpProxy, lost: Lost) -> None:
    before = sum(steady.counts().values())
    led.lose(lost, "/batch")
    calls = [call("echo", number) for number in range(1_500)]
    executions = [await one for one in calls]

    assert led.lost == 1
    assert [one.id for one in executions] == [one.id for one in calls]
    assert sum(steady.counts().values()) == before + len(calls)


async def test_a_runner_killed_after_the_commit_and_before_its_answer_has_stored_the_call_once(
    make_project: Callable[[], Project], proxy: HttpProxy
) -> None:
    project = new_project(make_project)
    with project.run("--workers", "1", "--port", "0") as first:
        proxy.target = first.url
        proxy.lose("answer", "/batch", meanwhile=first.kill)
        pending = call("echo", 7)
        await asyncio.to_thread(until, lambda: proxy.lost, "the answer was lost")
        assert sum(project.counts().values()) == 1
        with project.run("--workers", "1", "--port", "0") as second:
            proxy.target = second.url
            assert (await pending).id == pending.id
            assert sum(project.counts().values()) == 1


async def change_by(name: str, id: str) -> Execution:
    if name == "cancel":
        return await cancel_execution(id)
    if name == "reschedule":
        return await reschedule_execution(id, LATER + timedelta(hours=1))
    return await rerun_execution(id)


@pytest.mark.parametrize("lost", LOSSES)
@pytest.mark.parametrize(
    ("name", "path"), [("cancel", "/cancellation"), ("reschedule", "/schedule"), ("rerun", "/reruns")]
)
async def test_a_change_is_made_once(client: Client, led: HttpProxy, name: str, path: str, lost: Lost) -> None:
    id = client.call("echo", 7, scheduled_us=LATER_US)
    led.lose(lost, path)
    told = await change_by(name, id)

    assert led.lost == 1
    if name == "rerun":
        assert [one.id for one in await list_executions(Page(first=100)) if one.rerun_of == id] == [told.id]
    else:
        assert await get_execution(id) == told


@pytest.mark.parametrize("lost", LOSSES)
async def test_a_question_is_answered(client: Client, led: HttpProxy, lost: Lost) -> None:
    id = client.run("echo", 7)
    led.lose(lost, id)

    assert (await get_execution(id)).state is State.SUCCEED
    assert led.lost == 1


@pytest.mark.parametrize("lost", LOSSES)
async def test_a_wait_is_answered(led: HttpProxy, lost: Lost) -> None:
    led.lose(lost, "/endings")

    assert await result("echo", 7) == 7
    assert led.lost == 1


async def test_what_is_stored_keeps_the_order_of_the_calls(steady: Project, led: HttpProxy) -> None:
    led.lose("answer", "/batch")
    ids = [call("echo", number).id for number in range(2_500)]
    await result("echo", "the last")
    with steady.reader() as reader:
        stored = [one.scheduled_at for id in ids if (one := reader.get(id)) is not None]

    assert len(stored) == len(ids)
    assert stored == sorted(stored)


async def test_a_thousand_waits_take_a_few_requests(led: HttpProxy) -> None:
    results = await asyncio.gather(*[result("echo", number) for number in range(1_000)])

    assert results == list(range(1_000))
    assert sum(path.endswith("/endings") for path in led.requests) < 200


async def test_a_wait_outlives_a_runner_that_stops_at_once_all_the_same(
    make_project: Callable[[], Project], proxy: HttpProxy
) -> None:
    project = new_project(make_project)
    with project.run("--workers", "1", "--port", "0") as first:
        proxy.target = first.url
        held = make_result_call(function("echo").with_options(delay="3s"), ("late",), {})
        waiting = asyncio.ensure_future(held)
        await asyncio.to_thread(until, lambda: any(path.endswith("/endings") for path in proxy.requests), "it waits")
        began = time.monotonic()
        assert await asyncio.to_thread(first.stop) == 0
        assert time.monotonic() - began < 4
        with project.run("--workers", "1", "--port", "0") as second:
            proxy.target = second.url
            assert await waiting == "late"


async def test_calls_wait_for_a_runner_that_is_about_to_start(
    make_project: Callable[[], Project], proxy: HttpProxy
) -> None:
    project = new_project(make_project)
    pending = call("echo", 1)
    with project.run("--workers", "1", "--port", "0") as late:
        proxy.target = late.url
        assert (await pending).state is State.CREATED


# Nobody is there.


@pytest.fixture
def nobody(proxy: HttpProxy, monkeypatch: pytest.MonkeyPatch) -> str:
    """Lead to a port where nobody listens, and make every deadline a short one."""
    for module in ("asking", "shipments"):
        monkeypatch.setattr(f"defer_cli.client.{module}.LONGEST_WAIT_SECONDS", 0.3)
    monkeypatch.setenv("DEFER_ENDPOINT", "http://127.0.0.1:9")
    return "http://127.0.0.1:9"


@pytest.mark.parametrize("asked", [lambda: call("echo", 1), lambda: get_execution("7" + "0" * 25)])
async def test_where_nobody_is_that_is_said_and_where(nobody: str, asked: Callable[[], Awaitable[object]]) -> None:
    with pytest.raises(NoRunner, match=f"no runner can be reached at {nobody}: .*; none came .*set DEFER_ENDPOINT"):
        await asked()


async def test_a_call_that_may_have_arrived_is_not_said_to_be_nowhere(led: HttpProxy, nobody: str) -> None:
    """The proxy takes the request, and nobody is behind it."""
    led.target = nobody
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEFER_ENDPOINT", led.url)
        with pytest.raises(Unconfirmed, match="unknown whether stored"):
            await call("echo", 1)
