"""What may be asked of an execution, by every route: itself, its result, its attempts."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from defer_cli import (
    Execution,
    ExecutionFailed,
    ExecutionNotFound,
    ExecutionResultNotAvailable,
    ExecutionResultNotAvailableYet,
    Filters,
    Page,
    State,
)
from tests.contract.conftest import Makers
from tests.contract.desk import Desk
from tests.process.harness import Client

pytestmark = pytest.mark.process

NOBODYS = "7" + "0" * 25

MEBIBYTE = 1 << 20
VALUES: list[Any] = [None, False, True, 0, 1.5, "", "é\n\x1b[31m", [], {}, [{"a": [None, {}]}]]


@pytest.mark.parametrize("state", list(State))
def test_an_execution_is_told_in_every_state(desk: Desk, keeper: Makers, make: Makers, state: State) -> None:
    id = (make if state is State.ABORTING else keeper).kept(state)
    found = desk.get(id)

    assert (found.id, found.state, found.came_from, found.rerun_of) == (id, state, "call", None)
    assert (found.finished_at is not None) is state.is_final
    assert (found.started_at is not None) is (found.attempt > 0)
    assert abs(datetime.now(UTC) - found.created_at) < timedelta(minutes=10)
    assert found.error_code == ("ER0003" if state is State.FAILED else None)


def test_an_execution_is_told_whole(desk: Desk, client: Client) -> None:
    called = desk.call("echo", 7, metadata={"user": "12"}, discard_after="1h")
    client.wait(called.id)
    found = desk.get(called.id)

    assert isinstance(found, Execution)
    assert (found.function, found.attempt, found.charged, found.losses) == ("echo", 1, 0, 0)
    assert (found.metadata, found.created_at) == ({"user": "12"}, called.created_at)
    assert found.discard_after == called.discard_after
    assert found.started_at is not None
    assert found.finished_at is not None
    assert found.created_at <= found.scheduled_at <= found.started_at <= found.finished_at <= found.updated_at


@pytest.mark.parametrize("name", ["get_execution", "get_execution_result", "list_execution_attempts"])
@pytest.mark.parametrize("id", [NOBODYS, f"{NOBODYS}.1", "nonsense", ""])
def test_an_id_that_nothing_has_is_not_found(desk: Desk, name: str, id: str) -> None:
    with pytest.raises(ExecutionNotFound, match=f"no execution has the id '{id}'"):
        desk.do(name, id)


@pytest.mark.parametrize("value", VALUES)
def test_a_result_is_what_was_returned(desk: Desk, client: Client, value: Any) -> None:
    id = desk.call("echo", value).id
    client.wait(id)
    result = desk.result(id)

    assert (result, type(result)) == (value, type(value))


@pytest.mark.parametrize("value", VALUES)
def test_an_awaited_result_is_what_was_returned(desk: Desk, value: Any) -> None:
    result = desk.do("result", "echo", value)

    assert (result, type(result)) == (value, type(value))


def test_the_largest_arguments_and_results_come_through(desk: Desk, client: Client) -> None:
    value = "x" * (MEBIBYTE - 4)  # with its quotes and the brackets of the arguments a mebibyte
    id = desk.call("echo", value).id
    client.wait(id)

    assert desk.result(id) == value


@pytest.mark.parametrize("is_awaited", [False, True])
def test_a_failure_raises_what_the_function_raised_with_its_traceback(
    desk: Desk, client: Client, is_awaited: bool
) -> None:
    id = desk.call("broken", "odd").id
    client.wait(id)
    ask = ("result", "broken", "odd") if is_awaited else ("get_execution_result", id)

    with pytest.raises(ExecutionFailed, match=r"defer/broken.py:\d+: broken, id .*, failed: ValueError: odd") as told:
        desk.do(*ask)
    assert told.value.state == State.FAILED
    assert "raise ValueError(message)" in (told.value.remote_traceback or "")
    assert "raise ValueError(message)" in "".join(traceback.format_exception(told.value))
    assert told.value.execution_id in str(told.value)


def test_the_largest_errors_come_through(desk: Desk, client: Client) -> None:
    id = desk.call("broken", "é" * (MEBIBYTE // 4)).id
    client.wait(id)
    with pytest.raises(ExecutionFailed) as told:
        desk.result(id)
    (attempt,) = desk.attempts(id)

    assert attempt.error is not None
    assert 60_000 < len(attempt.error.message.encode()) < 66_000
    assert attempt.error.traceback == told.value.remote_traceback


@pytest.mark.parametrize("state", [State.CANCELLED, State.ABORTED, State.DISCARDED])
def test_what_ended_without_a_result_never_has_one(desk: Desk, keeper: Makers, state: State) -> None:
    with pytest.raises(ExecutionResultNotAvailable, match=f"it was {state} and has no result") as told:
        desk.result(keeper.kept(state))

    assert told.value.state == state


@pytest.mark.parametrize("state", [State.CREATED, State.STARTED, State.ABORTING])
def test_what_has_not_ended_has_no_result_yet(desk: Desk, make: Makers, state: State) -> None:
    with pytest.raises(ExecutionResultNotAvailableYet, match=f"it is in {state} state and has no result yet") as told:
        desk.result(make.new(state))

    assert told.value.state == state


@pytest.mark.parametrize("calls", [2, 3_000])
@pytest.mark.parametrize("ask", ["get_execution", "cancel_execution", "rerun_execution", "reschedule_execution"])
def test_what_is_asked_about_a_call_that_nobody_awaited_comes_after_it(desk: Desk, calls: int, ask: str) -> None:
    ids, found = desk.do("call_and_ask", "echo", calls, ask)

    assert [one.rerun_of or one.id for one in found] == ids


# Attempts.


@pytest.fixture(scope="session")
def tried(desk: Desk, client: Client) -> str:
    """Give an execution whose third attempt succeeded."""
    id = desk.call("flaky", 3).id
    assert client.wait(id) == "succeed"
    return id


def test_attempts_are_told_newest_first(desk: Desk, tried: str) -> None:
    found = desk.attempts(tried)

    assert [one.id for one in found] == [f"{tried}.{number}" for number in (3, 2, 1)]
    assert [one.state for one in found] == ["succeed", "failed", "failed"]
    assert [one.outcome for one in found] == ["succeed", "retry", "retry"]
    assert [one.error and one.error.message for one in found] == [None, "not yet", "not yet"]
    assert (found.page_info.has_next_page, found.page_info.has_prev_page) == (False, False)


def test_a_running_attempt_is_among_them(desk: Desk, make: Makers) -> None:
    (attempt,) = desk.attempts(make.new(State.STARTED))

    assert (attempt.number, attempt.state, attempt.finished_at) == (1, "started", None)


def test_what_never_started_has_no_attempt(desk: Desk, keeper: Makers) -> None:
    found = desk.attempts(keeper.kept(State.CREATED))

    assert (found.items, found.page_info.start_cursor, found.page_info.end_cursor) == ([], None, None)


def test_an_attempt_is_an_execution_of_its_own(desk: Desk, tried: str) -> None:
    first, third = desk.get(f"{tried}.1"), desk.get(f"{tried}.3")

    assert (first.id, first.state, first.attempt, first.error_code) == (f"{tried}.1", "failed", 1, "ER0003")
    assert (third.id, third.state, third.attempt, third.error_code) == (f"{tried}.3", "succeed", 3, None)
    assert first.function == third.function == "flaky"


def test_an_attempt_has_its_own_result(desk: Desk, tried: str) -> None:
    assert desk.result(f"{tried}.3") == 3
    with pytest.raises(ExecutionFailed, match="LookupError: not yet") as told:
        desk.result(f"{tried}.1")
    assert "raise LookupError" in (told.value.remote_traceback or "")


def test_an_attempt_has_no_attempts(desk: Desk, tried: str) -> None:
    with pytest.raises(ExecutionNotFound, match=f"{tried}.1 is one attempt and has none of its own; use {tried}"):
        desk.attempts(f"{tried}.1")


def test_attempts_are_paged_both_ways(desk: Desk, tried: str) -> None:
    newest = desk.attempts(tried, Page(first=2))
    oldest = desk.attempts(tried, Page(first=2, after=newest.page_info.end_cursor))
    back = desk.attempts(tried, Page(last=2, before=oldest.page_info.start_cursor))

    assert [[one.number for one in page] for page in (newest, oldest, back)] == [[3, 2], [1], [3, 2]]
    assert [page.page_info.has_next_page for page in (newest, oldest, back)] == [True, False, True]
    assert [page.page_info.has_prev_page for page in (newest, oldest, back)] == [False, True, False]


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        (Filters(states=["failed"]), [2, 1]),
        (Filters(states=["succeed", "failed"]), [3, 2, 1]),
        (Filters(error_codes=["ER0003"]), [2, 1]),
        (Filters(error_codes=["ER0001"]), []),
    ],
)
def test_attempts_are_narrowed(desk: Desk, tried: str, filters: Filters, numbers: list[int]) -> None:
    assert [one.number for one in desk.attempts(tried, filters=filters)] == numbers
