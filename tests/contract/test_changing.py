"""What may be changed about an execution, by every route; what is refused names the state it is in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from defer_cli import (
    DeferError,
    ExecutionAbortingAlreadyInProgress,
    ExecutionNotCancellable,
    ExecutionNotFound,
    ExecutionNotReschedulable,
    State,
    When,
)
from tests.contract.conftest import Makers
from tests.contract.desk import Desk
from tests.process.harness import Client, Project

pytestmark = pytest.mark.process

NOBODYS = "7" + "0" * 25

FINAL = [state for state in State if state.is_final]
RUNNING = [State.STARTED, State.ABORTING]
CHANGES = ["cancel_execution", "reschedule_execution", "rerun_execution"]


@pytest.fixture
def in_state(keeper: Makers, make: Makers, state: State) -> str:
    """Give an execution in ``state`` on which a change is refused."""
    return make.new(state) if state is State.ABORTING else keeper.kept(state)


@pytest.mark.parametrize("force", [False, True])
def test_what_waits_is_cancelled_at_once(desk: Desk, make: Makers, force: bool) -> None:
    id = make.new(State.CREATED)
    cancelled = desk.cancel(id, force=force)

    assert (cancelled.id, cancelled.state, cancelled.attempt) == (id, State.CANCELLED, 0)
    assert cancelled.finished_at is not None
    assert desk.get(id) == cancelled


@pytest.mark.parametrize(("state", "force"), [*product(FINAL, [False, True]), *product(RUNNING, [False])])
def test_what_does_not_wait_is_not_cancelled(desk: Desk, in_state: str, state: State, force: bool) -> None:
    with pytest.raises(ExecutionNotCancellable, match=f"cannot cancel execution in {state} state") as told:
        desk.cancel(in_state, force=force)

    assert told.value.state == state
    assert (told.value.mend is not None) is (state in RUNNING)
    assert desk.get(in_state).state is state


def test_what_runs_is_aborted_when_that_is_forced(desk: Desk, make: Makers, client: Client) -> None:
    id = make.new(State.STARTED)
    aborting = desk.cancel(id, force=True)

    assert (aborting.id, aborting.state, aborting.finished_at) == (id, State.ABORTING, None)
    assert client.wait(id) == "aborted"
    assert desk.get(id).state is State.ABORTED


def test_an_abort_is_asked_for_once(desk: Desk, make: Makers) -> None:
    id = make.new(State.ABORTING)

    with pytest.raises(ExecutionAbortingAlreadyInProgress, match="is being aborted already; wait for its end") as told:
        desk.cancel(id, force=True)
    assert told.value.state == State.ABORTING


def test_what_is_aborted_may_still_put_things_in_order(
    desk: Desk, make: Makers, client: Client, project: Project
) -> None:
    id = make.new(State.ABORTING)
    (name,) = json.loads(client.ask("arguments", id=id))
    project.until_noted(f"{name}-cancelled")
    make.let_go()

    assert client.wait(id) == "aborted"


@pytest.mark.parametrize("when", ["2h", 7200, 7200.0, timedelta(hours=2), datetime.now(UTC) + timedelta(hours=2)])
def test_what_waits_is_given_another_time(desk: Desk, make: Makers, when: When) -> None:
    before = datetime.now(UTC)
    id = make.new(State.CREATED, discard_after="9h")
    called = desk.get(id)
    moved = desk.reschedule(id, when)

    assert (moved.id, moved.state, moved.discard_after) == (id, State.CREATED, called.discard_after)
    if isinstance(when, datetime):
        assert moved.scheduled_at == when
    else:
        assert timedelta(hours=2) <= moved.scheduled_at - before < timedelta(hours=2, minutes=5)
    assert desk.get(id) == moved


@pytest.mark.parametrize("when", [None, 0, datetime(2020, 1, 1, tzinfo=UTC)])
def test_what_is_rescheduled_to_now_runs(desk: Desk, make: Makers, client: Client, when: When | None) -> None:
    id = make.new(State.CREATED, "echo", "now")
    moved = desk.reschedule(id, when)

    assert moved.scheduled_at <= moved.updated_at
    assert client.wait(id) == "succeed"
    assert desk.result(id) == "now"


@pytest.mark.parametrize("state", [*FINAL, *RUNNING])
def test_what_does_not_wait_is_given_no_other_time(desk: Desk, in_state: str, state: State) -> None:
    with pytest.raises(ExecutionNotReschedulable, match=f"cannot reschedule execution in {state} state") as told:
        desk.reschedule(in_state, "1h")

    assert told.value.state == state
    assert desk.get(in_state).state is state


@pytest.mark.parametrize("state", list(State))
def test_an_execution_is_run_once_more_whatever_its_state(
    desk: Desk, make: Makers, client: Client, state: State
) -> None:
    id = make.new(state, metadata={"user": "12"})
    first = desk.get(id)
    new = desk.rerun(id)

    assert new.id != id
    assert (new.function, new.state, new.attempt, new.metadata) == (first.function, State.CREATED, 0, {"user": "12"})
    assert (new.came_from, new.rerun_of, new.parent, new.discard_after) == ("rerun", id, None, None)
    assert client.ask("arguments", id=new.id) == client.ask("arguments", id=id)
    make.let_go()
    assert client.wait(new.id) == ("failed" if state is State.FAILED else "succeed")


def test_a_rerun_has_the_arguments_of_the_first(desk: Desk, make: Makers, client: Client) -> None:
    value = {"a": [1, None, "é"], "large": "x" * 100_000}
    new = desk.rerun(make.new(State.SUCCEED, "echo", value))
    client.wait(new.id)

    assert desk.result(new.id) == value


def test_a_rerun_may_be_run_once_more(desk: Desk, make: Makers) -> None:
    first = desk.rerun(make.new(State.CANCELLED))
    second = desk.rerun(first.id)

    assert (second.rerun_of, second.came_from) == (first.id, "rerun")


def test_each_rerun_is_an_execution_of_its_own(desk: Desk, make: Makers, client: Client) -> None:
    id = make.new(State.SUCCEED)

    assert len({desk.rerun(id).id for _ in range(5)}) == 5


@pytest.mark.parametrize(
    ("change", "error"),
    list(zip(CHANGES, [ExecutionNotCancellable, ExecutionNotReschedulable, DeferError], strict=True)),
)
def test_an_attempt_cannot_be_changed(desk: Desk, keeper: Makers, change: str, error: type[DeferError]) -> None:
    id = keeper.kept(State.SUCCEED)

    with pytest.raises(error, match=f"{id}.1 is one attempt, which cannot be changed; use {id}"):
        desk.do(change, f"{id}.1")


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("id", [NOBODYS, "nonsense", ""])
def test_an_id_that_nothing_has_is_not_found(desk: Desk, change: str, id: str) -> None:
    with pytest.raises(ExecutionNotFound, match=f"no execution has the id '{id}'"):
        desk.do(change, id)
