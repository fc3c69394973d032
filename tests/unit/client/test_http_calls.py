"""Calls, questions and waits of the library over HTTP: what is sent again, and what is said when nobody is there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from defer_cli.client import process
from defer_cli.client.asking import get_execution
from defer_cli.client.calls import make_call, make_result_call
from defer_cli.client.http_session import Reply
from defer_cli.client.routes import ConnectionLost, Unreached
from defer_cli.domain.errors import DeferError, ExecutionFailed, NoRunner, SettingError, Unconfirmed
from tests.unit.client.calling import call
from tests.unit.client.conftest import Function
from tests.unit.client.fake_api import Asked, FakeApi, ends, reply, store

ID = "01m8argyvwe8ht55xgrrcypejy"


@pytest.fixture
def far(compute: Function, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """Stand for the API at the end of all calls of this process."""
    api = FakeApi()
    monkeypatch.setenv("DEFER_TOKEN", "token")
    monkeypatch.setattr("defer_cli.client.http_session.Session", lambda endpoint: api)
    return api


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every deadline a short one."""
    for module in ("asking", "shipments"):
        monkeypatch.setattr(f"defer_cli.client.{module}.LONGEST_WAIT_SECONDS", 0.3)


def unreached(asked: Asked) -> Reply:
    raise Unreached("no runner can be reached at http://x", mend="set DEFER_ENDPOINT")


def lost(asked: Asked) -> Reply:
    raise ConnectionLost("it gave no answer")


def fail_once(api: FakeApi, failing: Callable[[Asked], Reply]) -> Callable[[Asked], Reply]:
    def respond(asked: Asked) -> Reply:
        api.respond = store
        return failing(asked)

    return respond


@pytest.mark.parametrize("failing", [unreached, lost])
async def test_what_failed_is_sent_again(far: FakeApi, compute: Function, failing: Callable[[Asked], Reply]) -> None:
    far.respond = fail_once(far, failing)
    handle = call(compute, 1)

    assert (await handle).id == handle.id
    assert [body["executions"][0]["id"] for body in far.bodies("/batch")] == [handle.id] * 2


async def test_calls_share_requests_and_keep_their_order(far: FakeApi, compute: Function) -> None:
    calls = [call(compute, number) for number in range(5_000)]
    for one in calls:
        await one
    sent = [item["id"] for body in far.bodies("/batch") for item in body["executions"]]

    assert sent == [one.id for one in calls]
    assert len(far.bodies("/batch")) < 100


async def test_a_call_that_nobody_took_was_not_stored(far: FakeApi, compute: Function, limit: None) -> None:
    far.respond = unreached

    with pytest.raises(NoRunner, match="reached at http://x; none came within .* nothing was stored; set DEFER_END"):
        await call(compute, 1)


async def test_a_call_that_may_have_arrived_once_is_unconfirmed(far: FakeApi, compute: Function, limit: None) -> None:
    def lose_first(asked: Asked) -> Reply:
        far.respond = unreached
        return lost(asked)

    far.respond = lose_first
    with pytest.raises(Unconfirmed, match="unknown whether stored"):
        await call(compute, 1)


async def test_a_question_that_nobody_took_says_where_nobody_was(far: FakeApi, limit: None) -> None:
    far.respond = unreached

    with pytest.raises(NoRunner, match=f"at http://x; none came .* to show execution {ID}; set DEFER_ENDPOINT"):
        await get_execution(ID)


async def test_a_wait_is_given_up_when_the_runner_is_not_back_soon(
    far: FakeApi, compute: Function, limit: None
) -> None:
    def respond(asked: Asked) -> Reply:
        return unreached(asked) if asked.path.endswith("/endings") else store(asked)

    far.respond = respond
    with pytest.raises(Unconfirmed, match="the runner went away and did not come back"):
        await make_result_call(compute, (1,), {})


async def test_a_wait_goes_on_over_losses(far: FakeApi, compute: Function) -> None:
    def respond(asked: Asked) -> Reply:
        return fail_once(far, lost)(asked) if asked.path.endswith("/endings") else store(asked)

    far.respond = respond

    assert await make_result_call(compute, (1,), {}) == 42


async def test_what_the_function_raised_is_raised(far: FakeApi, compute: Function) -> None:
    error = {"code": "ER0003", "type": "ValueError", "message": "no stock", "traceback": "", "location": "a.py:1"}

    def respond(asked: Asked) -> Reply:
        if not asked.path.endswith("/endings"):
            return store(asked)
        return reply([{"id": id, "state": "failed", "error": error} for id in asked.body["ids"]])

    far.respond = respond
    with pytest.raises(ExecutionFailed, match="a.py:1: compute, id .*, failed: ValueError: no stock"):
        await make_result_call(compute, (1,), {})


async def test_a_cancelled_wait_is_asked_for_no_more(far: FakeApi, compute: Function) -> None:
    far.respond = lambda asked: ends()(asked) if asked.path.endswith("/endings") else store(asked)
    waiting = [asyncio.ensure_future(make_result_call(compute, (number,), {})) for number in range(2)]
    await asyncio.to_thread(far.until, lambda asked: any(len(one.body.get("ids", ())) == 2 for one in asked))
    waiting[0].cancel()
    await asyncio.to_thread(far.until, lambda asked: len(asked[-1].body.get("ids", ())) == 1)
    far.respond = store

    assert await waiting[1] == 42


def test_without_a_loop_a_refusal_is_raised_by_the_call(far: FakeApi, compute: Function) -> None:
    def refuse(asked: Asked) -> Reply:
        raise SettingError("a wrong token", where="DEFER_TOKEN")

    far.respond = refuse
    with pytest.raises(DeferError, match="^DEFER_TOKEN: a wrong token"):
        make_call(compute, (1,), {})


def test_while_the_interpreter_closes_a_call_is_sent_by_its_own_thread(
    far: FakeApi, compute: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("threading._main_thread.is_alive", lambda: False)
    threads: list[int] = []

    def respond(asked: Asked) -> Reply:
        threads.append(threading.get_ident())
        return store(asked)

    far.respond = respond
    process.sender().drain(0)

    make_call(compute, (1,), {}).wait()
    assert threads == [threading.get_ident()]
