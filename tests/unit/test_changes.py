"""What may be changed in which state, what a repeated request is told, and that every refusal names the state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from defer_cli.changes import CHANGES, MOST_AT_ONCE, Changes
from defer_cli.domain.changes import Change
from defer_cli.domain.errors import (
    DeferError,
    ExecutionAbortingAlreadyInProgress,
    ExecutionNotCancellable,
    ExecutionNotFound,
    ExecutionNotReschedulable,
    Unconfirmed,
)
from defer_cli.domain.execution import to_moment
from defer_cli.domain.ids import random_id
from defer_cli.domain.states import State
from defer_cli.store.contract import Mark, Store
from defer_cli.store.sqlite import open_store
from tests.store.harness import (
    NOON,
    SECOND,
    Clock,
    abort,
    aborted,
    apply,
    cancel,
    enqueue,
    fail,
    retry,
    start,
    succeed,
)

LATER = NOON + 3600 * SECOND


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    store = open_store(tmp_path / "defer.db", clock=clock)
    yield store
    store.close()


def make(store: Store, name: str, **parameters: Any) -> list[Change]:
    """Make a change; return what came of it as it arrives at the other end of a socket."""
    with store.transaction():
        told = Changes(store).make(name, parameters)
    return msgspec.convert(msgspec.msgpack.decode(msgspec.msgpack.encode(told)), list[Change])


def error_of(change: Change) -> DeferError:
    with pytest.raises(DeferError) as raised:
        change.changed()
    return raised.value


def discarded(store: Store) -> None:
    enqueue(store, id="x", discard_us=NOON)
    with store.transaction():
        store.discard_due(limit=1)


def ended(store: Store, end: Callable[[Any], Any]) -> None:
    enqueue(store, id="x")
    apply(store, *map(end, start(store)))


def aborting(store: Store) -> None:
    enqueue(store, id="x")
    start(store)
    assert abort(store, "x") is not None


def being_started(store: Store) -> None:
    enqueue(store, id="x")
    start(store)


def cancelled(store: Store) -> None:
    enqueue(store, id="x")
    cancel(store, "x")


def ended_by_abort(store: Store) -> None:
    enqueue(store, id="x")
    (running,) = start(store)
    abort(store, "x")
    apply(store, aborted(running))


INTO: Mapping[State, Callable[[Store], object]] = {
    State.CREATED: lambda store: enqueue(store, id="x"),
    State.STARTED: being_started,
    State.SUCCEED: lambda store: ended(store, succeed),
    State.FAILED: lambda store: ended(store, fail),
    State.CANCELLED: cancelled,
    State.ABORTING: aborting,
    State.ABORTED: ended_by_abort,
    State.DISCARDED: discarded,
}
"""How the execution ``x`` comes into each state."""
REFUSED = ExecutionNotCancellable
CANCEL: Mapping[State, State | type[DeferError]] = dict.fromkeys(State, REFUSED) | {State.CREATED: State.CANCELLED}
FORCED: Mapping[State, State | type[DeferError]] = {
    **CANCEL,
    State.STARTED: State.ABORTING,
    State.ABORTING: ExecutionAbortingAlreadyInProgress,
}
CANCEL_AGAIN = {**CANCEL, State.CANCELLED: State.CANCELLED}
FORCED_AGAIN = {
    **FORCED,
    State.CANCELLED: State.CANCELLED,
    State.ABORTING: State.ABORTING,
    State.ABORTED: State.ABORTED,
}
CASES = [
    pytest.param(is_forced, is_again, state, expected[state], id=f"{name}-{state}")
    for name, is_forced, is_again, expected in (
        ("cancel", False, False, CANCEL),
        ("forced", True, False, FORCED),
        ("cancel-again", False, True, CANCEL_AGAIN),
        ("forced-again", True, True, FORCED_AGAIN),
    )
    for state in State
]


def test_every_state_is_reached() -> None:
    assert INTO.keys() == set(State)


@pytest.mark.parametrize("state", State)
def test_the_executions_are_in_the_states_they_stand_for(state: State, store: Store) -> None:
    INTO[state](store)
    found = store.get("x")

    assert found is not None
    assert found.state is state


@pytest.mark.parametrize(("is_forced", "is_again", "state", "expected"), CASES)
def test_a_cancel_goes_with_what_waits_and_a_forced_one_with_what_runs(
    is_forced: bool, is_again: bool, state: State, expected: State | type[DeferError], store: Store
) -> None:
    INTO[state](store)
    (change,) = make(store, "cancel", ids=["x"], is_forced=is_forced, is_again=is_again)
    found = store.get("x")

    assert found is not None
    if isinstance(expected, State):
        assert (change.changed().state, found.state) == (expected, expected)
    else:
        error = error_of(change)
        assert (type(error), getattr(error, "state", None), found.state) == (expected, state, state)


@pytest.mark.parametrize("state", sorted(set(State) - {State.CREATED}))
def test_only_what_waits_can_be_rescheduled(state: State, store: Store) -> None:
    INTO[state](store)
    before = store.get("x")
    (change,) = make(store, "reschedule", ids=["x"], scheduled_us=LATER)
    error = error_of(change)

    assert isinstance(error, ExecutionNotReschedulable)
    assert (error.state, store.get("x")) == (state, before)


@pytest.mark.parametrize("state", sorted(set(State) - {State.CREATED}))
def test_a_repeated_reschedule_of_what_went_on_does_not_claim_to_know(state: State, store: Store) -> None:
    INTO[state](store)
    (change,) = make(store, "reschedule", ids=["x"], scheduled_us=LATER, is_again=True)

    assert isinstance(error_of(change), Unconfirmed)
    assert f"in {state} state" in error_of(change).problem


@pytest.mark.parametrize(("scheduled_us", "expected_us"), [(LATER, LATER), (None, NOON), (NOON - SECOND, NOON)])
def test_what_waits_gets_another_time_and_now_at_the_earliest(
    scheduled_us: int | None, expected_us: int, store: Store
) -> None:
    enqueue(store, id="x", scheduled_us=NOON + 60 * SECOND, discard_us=LATER)
    (change,) = make(store, "reschedule", ids=["x"], scheduled_us=scheduled_us)

    assert change.changed().scheduled_at == to_moment(expected_us)
    assert change.changed().discard_after == to_moment(LATER)


def test_a_retry_that_waits_can_be_rescheduled_and_cancelled(store: Store) -> None:
    ended(store, retry)
    (moved,) = make(store, "reschedule", ids=["x"])
    (gone,) = make(store, "cancel", ids=["x"])

    assert (moved.changed().attempt, moved.changed().scheduled_at) == (1, to_moment(NOON))
    assert gone.changed().state is State.CANCELLED


@pytest.mark.parametrize("state", State)
def test_a_rerun_is_a_new_execution_whatever_the_state(state: State, store: Store) -> None:
    INTO[state](store)
    before, new_id = store.get("x"), random_id()
    (change,) = make(store, "rerun", pairs=[("x", new_id)])
    made = change.changed()

    assert (made.id, made.state, made.came_from, made.rerun_of) == (new_id, State.CREATED, "rerun", "x")
    assert store.get("x") == before


def test_a_rerun_asked_for_twice_is_one_execution(store: Store) -> None:
    enqueue(store, id="x", metadata={"k": "v"})
    pair = ("x", random_id())
    (first,), (second,) = make(store, "rerun", pairs=[pair]), make(store, "rerun", pairs=[pair])

    assert first == second
    assert first.changed().metadata == {"k": "v"}


def test_a_rerun_that_was_made_is_told_also_when_the_first_is_gone(store: Store, clock: Clock) -> None:
    ended(store, succeed)
    pair = ("x", random_id())
    make(store, "rerun", pairs=[pair])
    clock.forward(10)
    with store.transaction():
        assert Changes(store).prune(before_us=clock()).deleted == 1
    (again,) = make(store, "rerun", pairs=[pair])

    assert again.changed().id == pair[1]


def test_the_id_of_a_rerun_has_to_be_one(store: Store) -> None:
    enqueue(store, id="x")
    (change,) = make(store, "rerun", pairs=[("x", "y")])

    assert error_of(change).problem == "'y' is not an id"
    assert store.get("y") is None


@pytest.mark.parametrize(
    ("name", "parameters", "kind"),
    [
        ("cancel", {"ids": ["x.1"], "is_forced": True}, ExecutionNotCancellable),
        ("reschedule", {"ids": ["x.1"]}, ExecutionNotReschedulable),
        ("rerun", {"pairs": [("x.1", random_id())]}, DeferError),
    ],
)
def test_an_attempt_cannot_be_changed_and_the_mend_names_its_execution(
    name: str, parameters: dict[str, Any], kind: type[DeferError], store: Store
) -> None:
    being_started(store)
    (change,) = make(store, name, **parameters)
    error = error_of(change)

    assert type(error) is kind
    assert (error.problem, error.mend) == ("x.1 is one attempt, which cannot be changed", "use x")


@pytest.mark.parametrize("name", ["cancel", "reschedule", "rerun"])
def test_what_is_not_there_is_said_so_and_the_others_are_changed(name: str, store: Store) -> None:
    enqueue(store, id="x")
    ids = ["nope", "x", "nope.1x"]
    asked: dict[str, Any] = {"pairs": [(id, random_id()) for id in ids]} if name == "rerun" else {"ids": ids}
    missing, changed, odd = make(store, name, **asked)

    assert isinstance(error_of(missing), ExecutionNotFound)
    assert isinstance(error_of(odd), ExecutionNotFound)
    assert (missing.id, changed.id, odd.id) == tuple(ids)
    assert changed.changed().function == "compute"


def test_too_many_at_once_change_nothing(store: Store) -> None:
    enqueue(store, id="x")
    with pytest.raises(DeferError, match=f"ask for at most {MOST_AT_ONCE}"):
        make(store, "cancel", ids=["x"] * (MOST_AT_ONCE + 1))
    found = store.get("x")

    assert found is not None
    assert found.state is State.CREATED


def test_the_runner_hears_what_left_the_queue_and_what_is_to_be_aborted(store: Store) -> None:
    being_started(store)
    enqueue(store, id="y")
    changes = Changes(store)
    with store.transaction():
        changes.make("cancel", {"ids": ["x", "y", "nope"], "is_forced": True})

    assert [(ending.id, ending.state) for ending in changes.cancelled] == [("y", State.CANCELLED)]
    assert [running.id for running in changes.aborting] == ["x"]


# Pauses.


def test_a_pause_is_told_with_its_moment_and_whether_it_is_new(store: Store, clock: Clock) -> None:
    changes = Changes(store)
    with store.transaction():
        first = changes.make("pause", {"names": ["weekly"]})
    clock.forward(60)
    again = Changes(store)
    with store.transaction():
        second = again.make("pause", {"names": ["weekly", "daily"]})

    assert first == [{"name": "weekly", "since_us": NOON, "is_changed": True}]
    assert second == [
        {"name": "weekly", "since_us": NOON, "is_changed": False},
        {"name": "daily", "since_us": NOON + 60 * SECOND, "is_changed": True},
    ]
    assert changes.has_paused
    assert again.has_paused


def test_a_resume_tells_since_when_it_was_paused(store: Store) -> None:
    changes = Changes(store)
    with store.transaction():
        store.pause("weekly")
        told = changes.make("resume", {"names": ["weekly", "daily"]})

    assert told == [
        {"name": "weekly", "since_us": NOON, "is_changed": True},
        {"name": "daily", "since_us": None, "is_changed": False},
    ]
    assert store.paused() == {}


def test_a_resume_of_what_was_not_paused_moves_no_mark(store: Store) -> None:
    changes = Changes(store)
    with store.transaction():
        store.set_marks([Mark("weekly", "0 8 * * 1", 1)])
        changes.make("resume", {"names": ["weekly"]})

    assert store.marks() == [Mark("weekly", "0 8 * * 1", 1)]
    assert not changes.has_paused


def test_a_mark_that_is_ahead_of_a_resume_stays(store: Store) -> None:
    ahead = Mark("weekly", "0 8 * * 1", NOON + 3600 * SECOND)
    with store.transaction():
        store.set_marks([ahead])
        store.pause("weekly")
        Changes(store).make("resume", {"names": ["weekly"]})

    assert store.marks() == [ahead]


@pytest.mark.parametrize("change", ["pause", "resume"])
def test_too_many_crons_at_once_are_refused(store: Store, change: str) -> None:
    names = [f"cron_{number}" for number in range(MOST_AT_ONCE + 1)]
    with pytest.raises(DeferError, match="251 crons at once"), store.transaction():
        Changes(store).make(change, {"names": names})


def test_each_change_says_what_it_does() -> None:
    assert all(change.__doc__ for change in CHANGES.values())
