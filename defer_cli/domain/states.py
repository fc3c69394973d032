"""The states of an execution and the one table of moves between them."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class State(StrEnum):
    """Defer's words, also on the wire."""

    CREATED = "created"
    STARTED = "started"
    SUCCEED = "succeed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABORTING = "aborting"
    ABORTED = "aborted"
    DISCARDED = "discarded"

    @property
    def is_final(self) -> bool:
        """Whether nothing moves an execution out of this state any more."""
        return self in FINAL_STATES


FINAL_STATES = frozenset({State.SUCCEED, State.FAILED, State.CANCELLED, State.ABORTED, State.DISCARDED})
RUNNING_STATES = frozenset({State.STARTED, State.ABORTING})


class Transition(Struct, frozen=True):
    """One named move: the states it may leave and the one it enters."""

    name: str
    sources: frozenset[State]
    target: State
    when: str


def _move(name: str, sources: set[State], target: State, when: str) -> Transition:
    return Transition(name, frozenset(sources), target, when)


MOVES: tuple[Transition, ...] = (
    _move("call", set(), State.CREATED, "a call, a tick, a rerun"),
    _move("start", {State.CREATED}, State.STARTED, "claimed: due, a slot free, the function under its limit"),
    _move("succeed", {State.STARTED}, State.SUCCEED, "returned"),
    _move("fail", {State.STARTED}, State.FAILED, "raised, and no retry is left"),
    _move("retry", {State.STARTED}, State.CREATED, "raised, and a retry is left"),
    _move("interrupt", {State.STARTED}, State.CREATED, "a stop, a lost process, or a neighbour's process killed"),
    _move("cancel", {State.CREATED}, State.CANCELLED, "asked for, or the limit is reached and the action is cancel"),
    _move("discard", {State.CREATED}, State.DISCARDED, "never started by discard_after"),
    _move("reschedule", {State.CREATED}, State.CREATED, "asked for"),
    _move("abort", {State.STARTED}, State.ABORTING, "forced cancel"),
    _move("aborted", {State.ABORTING}, State.ABORTED, "any outcome, or the end of its process or runner"),
)
