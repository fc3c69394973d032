"""What may be asked, what is refused before anything is sent, and how answers are read."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import UserList
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
import uvloop

from defer_cli.client.asking import (
    cancel_execution,
    get_execution,
    get_execution_result,
    list_execution_attempts,
    list_executions,
    rerun_execution,
    reschedule_execution,
)
from defer_cli.client.routes import never_wait_here
from defer_cli.domain.errors import DeferError, ExecutionNotFound, SettingError, Unconfirmed
from defer_cli.domain.paging import Filters, Interval, Page
from defer_cli.domain.states import State
from defer_cli.link.frames import Answer, Ask, Enqueued
from tests.unit.client.answers import asked, execution, listing, tell
from tests.unit.client.calling import in_thread
from tests.unit.client.fake_runner import DEADLINE_SECONDS, FakeRunner

ABOUT_AN_ID: list[Callable[[Any], Awaitable[Any]]] = [
    get_execution,
    get_execution_result,
    list_execution_attempts,
    cancel_execution,
    reschedule_execution,
    rerun_execution,
]
ID = "01m8argyvwe8ht55xgrrcypejy"


class Text(str):
    """As web frameworks have them, for texts that need no escape."""

    __slots__ = ()


@pytest.fixture(autouse=True)
def _answers(runner: FakeRunner) -> None:
    runner.answer = tell


@pytest.mark.parametrize("ask", ABOUT_AN_ID)
@pytest.mark.parametrize("id", [None, 7, b"0" * 26, ["a"]])
async def test_what_is_no_text_is_refused_before_it_is_sent(
    runner: FakeRunner, ask: Callable[[Any], Awaitable[Any]], id: object
) -> None:
    with pytest.raises(SettingError, match=f"id is a {type(id).__name__}; pass the text"):
        await ask(id)
    assert not runner.frames


@pytest.mark.parametrize("ask", ABOUT_AN_ID)
@pytest.mark.parametrize(
    "id", ["", ".", "x", ID.upper(), f"{ID}\n", f"{ID}.", f"{ID}.²", f"{ID}.-1", "../" + ID, "é" * 26, "\ud800" * 26]
)
async def test_a_text_that_can_be_no_id_is_not_found_before_it_is_sent(
    runner: FakeRunner, ask: Callable[[Any], Awaitable[Any]], id: str
) -> None:
    with pytest.raises(ExecutionNotFound, match="no execution has the id"):
        await ask(id)
    assert not runner.frames


async def test_a_huge_id_is_shown_in_short() -> None:
    with pytest.raises(ExecutionNotFound) as raised:
        await get_execution("x" * 10_000_000)
    assert len(str(raised.value)) < 200


async def test_an_id_may_be_a_subclass_of_str(runner: FakeRunner) -> None:
    assert (await get_execution(Text(ID))).id == ID
    assert type(asked(runner)[0].parameters["id"]) is str


@pytest.mark.parametrize("ask", [list_executions, lambda page, filters: list_execution_attempts(ID, page, filters)])
@pytest.mark.parametrize(
    ("page", "filters", "problem"),
    [
        ({"first": 5}, None, "page is a dict; write page=Page"),
        (Filters(), None, "page is a Filters"),
        (None, {"states": ["failed"]}, "filters is a dict; write filters=Filters"),
        (None, Page(), "filters is a Page"),
        (50, None, "page is a int"),
    ],
)
async def test_what_is_no_page_or_no_filters_is_refused_before_it_is_sent(
    runner: FakeRunner, ask: Callable[..., Awaitable[Any]], page: Any, filters: Any, problem: str
) -> None:
    with pytest.raises(SettingError, match=problem):
        await ask(page, filters)
    assert not runner.frames


@pytest.mark.parametrize("when", [datetime(2030, 1, 1), "soon", -5, True, timedelta(days=40_000)])  # noqa: DTZ001
async def test_a_time_that_is_none_is_refused_before_it_is_sent(runner: FakeRunner, when: Any) -> None:
    with pytest.raises(SettingError, match="^when: "):
        await reschedule_execution(ID, when)
    assert not runner.frames


async def test_force_is_a_bool(runner: FakeRunner) -> None:
    with pytest.raises(SettingError, match="force is {'force': True}, a dict"):
        await cancel_execution(ID, force={"force": True})  # type: ignore[arg-type]  # as the first version of the API
    assert not runner.frames


async def test_filters_may_hold_what_behaves_like_texts_lists_and_mappings(runner: FakeRunner) -> None:
    filters = Filters(
        states=UserList([State.FAILED]),
        functions=(Text("compute"),),
        metadata=MappingProxyType({Text("user"): [Text("1")]}),
        scheduled_at=Interval(to=datetime(2030, 1, 1, tzinfo=UTC)),
    )
    await list_executions(Page(last=3), filters)
    (frame,) = asked(runner)

    assert frame.parameters["page"] == {"first": None, "after": None, "last": 3, "before": None}
    assert frame.parameters["filters"] == {
        "states": ["failed"],
        "functions": ["compute"],
        "error_codes": [],
        "scheduled_at": {"from_": None, "to": "2030-01-01T00:00:00Z"},
        "started_at": {"from_": None, "to": None},
        "metadata": {"user": ["1"]},
        "executed_by": None,
        "came_from": [],
        "parent": None,
    }


async def test_what_a_newer_runner_tells_besides_is_left_out(runner: FakeRunner) -> None:
    runner.answer = lambda frame: tell(frame, execution(ID, colour="red"))

    assert (await get_execution(ID)).id == ID


async def test_what_an_older_runner_does_not_tell_has_its_default(runner: FakeRunner) -> None:
    fewer = execution(ID)
    for name in ("metadata", "came_from", "executed_by", "charged", "losses", "error_code", "rerun_of", "parent"):
        fewer.pop(name)
    runner.answer = lambda frame: tell(frame, fewer)
    found = await get_execution(ID)

    assert (found.metadata, found.came_from, found.charged) == ({}, "call", 0)


@pytest.mark.parametrize("answer", [execution(ID, state="paused"), {"id": ID}, None, 7])
async def test_an_answer_that_cannot_be_read_says_which_versions(runner: FakeRunner, answer: Any) -> None:
    runner.answer = lambda frame: Answer(frame.number, answer) if isinstance(frame, Ask) else None

    with pytest.raises(DeferError, match="cannot be read: .*; use one version of defer in both"):
        await get_execution(ID)


async def test_an_answer_to_something_else_is_an_error(runner: FakeRunner) -> None:
    runner.answer = lambda frame: Enqueued(frame.number, 1, [])

    with pytest.raises(DeferError, match="not one to a question"):
        await get_execution(ID)


async def test_giving_up_the_wait_for_an_answer_leaves_the_next_one_alone(runner: FakeRunner) -> None:
    runner.answer = lambda frame: None
    waiting = asyncio.ensure_future(cancel_execution(ID))
    await asyncio.to_thread(runner.until, lambda seen: bool(asked(seen)))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    runner.answer = tell
    runner.reply(Answer(asked(runner)[0].number, [{"id": ID, "execution": execution(ID, state="cancelled")}]))

    assert (await get_execution(ID)).state is State.CREATED


# From every kind of loop and thread.


def test_one_loop_after_another_may_ask() -> None:
    assert [asyncio.run(get_execution(ID)).id for _ in range(5)] == [ID] * 5


def test_many_threads_without_a_loop_ask_at_once() -> None:
    """As a Flask or a Django view does."""
    gate = threading.Barrier(16)

    def view(number: int) -> set[str]:
        gate.wait(DEADLINE_SECONDS)
        return {asyncio.run(get_execution(f"{ID}.{number}")).id for _ in range(10)}

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(view, range(16))) == [{f"{ID}.{number}"} for number in range(16)]


async def test_many_tasks_ask_at_once(runner: FakeRunner) -> None:
    found = await asyncio.gather(*[get_execution(f"{ID}.{number}") for number in range(500)])

    assert [one.id for one in found] == [f"{ID}.{number}" for number in range(500)]


def test_under_uvloop_it_is_the_same() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        assert loop.run(list_executions()).items == []


def test_where_another_kind_of_loop_runs_it_blocks_that_thread() -> None:
    """Trio: nothing of asyncio runs, so the coroutine must never suspend."""
    coroutine = get_execution(ID)
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)

    assert done.value.value.id == ID


def test_a_forked_child_asks_over_a_connection_of_its_own(runner: FakeRunner) -> None:
    asyncio.run(get_execution(ID))
    reading, writing = os.pipe()
    if os.fork() == 0:
        told = b"no answer"
        try:
            told = asyncio.run(get_execution(ID)).id.encode()
        finally:
            os.write(writing, told)
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answer:
        assert answer.read() == ID.encode()
    os.wait()

    assert asyncio.run(get_execution(ID)).id == ID
    assert len(set(runner.pids)) == 2


def test_on_the_thread_that_brings_the_answers_nothing_is_waited_for() -> None:
    """A user's ``__del__`` may run there."""

    def ask() -> str:
        never_wait_here()
        with pytest.raises(Unconfirmed) as raised:
            cancel_execution(ID).send(None)
        return raised.value.problem

    assert in_thread(ask) == f"no answer was waited for: unknown whether execution {ID} was cancelled"


async def test_a_page_of_nothing_has_no_cursors(runner: FakeRunner) -> None:
    runner.answer = lambda frame: Answer(frame.number, listing()) if isinstance(frame, Ask) else None
    found = await list_executions()

    assert (list(found), found.page_info.end_cursor) == ([], None)
