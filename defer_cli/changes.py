"""What callers may change about what is stored: executions, and which crons are paused; the one place of these rules.

A change works on a store inside an open transaction: a runner makes it in its writer's, and a command that owns the
store in one of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from defer_cli.domain.changes import Change, Pause, Refusal
from defer_cli.domain.cron import Cron
from defer_cli.domain.errors import (
    DeferError,
    ExecutionAbortingAlreadyInProgress,
    ExecutionNotCancellable,
    ExecutionNotFound,
    ExecutionNotReschedulable,
    Unconfirmed,
)
from defer_cli.domain.execution import Execution
from defer_cli.domain.ids import is_id
from defer_cli.domain.settle import Running
from defer_cli.domain.states import State
from defer_cli.domain.ticks import NO_RUNNER, Span, owed_in_pause
from defer_cli.store.contract import Ending, Gap, Mark, Pruned, Store

MOST_AT_ONCE = 250
"""Executions of one change: all of them, with all the metadata they may have, fit the frame that answers."""
_LOOKED_AT_A_STEP = 1_000
_PAGES_A_STEP = 1_000
_ABORTED = (State.ABORTING, State.ABORTED)


class Changes:
    """The changes of one transaction, and what a runner has to do once they are on disk."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.cancelled: list[Ending] = []
        self.aborting: list[Running] = []
        self.has_paused = False
        """Whether a pause began or ended."""

    def make(self, name: str, parameters: Mapping[str, Any]) -> Any:
        """Make the change called ``name``; return what came of it as plain data."""
        return msgspec.to_builtins(CHANGES[name](self, **parameters))

    def cancel(self, ids: Sequence[str], *, is_forced: bool = False, is_again: bool = False) -> list[Change]:
        """Cancel what waits; with ``is_forced`` also abort what runs.

        ``is_again``: the same was asked for before, and the answer was lost; what it did is a success.
        """

        def one(id: str) -> Execution:
            found = self._stored(id)
            ending = self._store.cancel(id)
            if ending is not None:
                self.cancelled.append(ending)
            elif found.state is State.STARTED and is_forced:
                running = self._store.abort(id)
                assert running is not None
                self.aborting.append(running)
            elif found.state is State.ABORTING and is_forced and not is_again:
                raise ExecutionAbortingAlreadyInProgress(
                    "the execution is being aborted already", state=found.state, where=id, mend="wait for its end"
                )
            elif not (is_again and (found.state is State.CANCELLED or (is_forced and found.state in _ABORTED))):
                raise _not_cancellable(found)
            return self._stored(id)

        return _each(ids, one, ExecutionNotCancellable)

    def reschedule(
        self, ids: Sequence[str], *, scheduled_us: int | None = None, is_again: bool = False
    ) -> list[Change]:
        """Give what waits another time, None for now; ``discard_after`` stays as it is and beats it."""

        def one(id: str) -> Execution:
            found = self._stored(id)
            if self._store.reschedule(id, scheduled_us or 0):
                return self._stored(id)
            if is_again:
                raise Unconfirmed(
                    f"the answer was lost: unknown whether it was rescheduled; it is in {found.state} state", where=id
                )
            raise ExecutionNotReschedulable(
                f"cannot reschedule execution in {found.state} state",
                state=found.state,
                where=id,
                mend=f"only what waits can be; run it once more with `defer rerun {id}`",
            )

        return _each(ids, one, ExecutionNotReschedulable)

    def rerun(self, pairs: Sequence[tuple[str, str]]) -> list[Change]:
        """Call functions once more with the same arguments, whatever the state; ``pairs`` are (id, id of the new one).

        The same pair twice is one new execution.
        """
        new_ids = dict(pairs)

        def one(id: str) -> Execution:
            if not is_id(new_ids[id]):
                raise DeferError(f"{new_ids[id]!r} is not an id")
            if self._store.get(new_ids[id]) is None:  # else it was asked for before, and the first may be pruned
                self._stored(id)
                self._store.rerun(id, new_ids[id])
            return self._stored(new_ids[id])

        return _each([id for id, _ in pairs], one, DeferError)

    def prune(self, *, before_us: int, from_seq: int = 0) -> Pruned:
        """Delete what finished before a moment, one step; ``next_seq`` is where the next one goes on, None: done."""
        pruned = self._store.prune(before_us=before_us, from_seq=from_seq, limit=_LOOKED_AT_A_STEP)
        self._store.give_back(limit=_PAGES_A_STEP)
        return pruned

    def pause(self, names: Sequence[str]) -> list[Pause]:
        """Pause crons by their names, also names that no function has now: none of their ticks is run from now on.

        One that is paused already stays so since when it was.
        """
        _check_number(names, "crons")
        changed = {name for name in names if self._store.pause(name)}
        self.has_paused |= bool(changed)
        paused = self._store.paused()
        return [Pause(name=name, since_us=paused[name], is_changed=name in changed) for name in names]

    def resume(self, names: Sequence[str]) -> list[Pause]:
        """Resume crons by their names: the next tick from now on is run, and none that has passed."""
        _check_number(names, "crons")
        paused, marks = self._store.paused(), self._store.marks()
        changed = {name for name in names if name in paused}
        for mark in marks:
            if mark.function in changed:
                self._skip(mark, paused[mark.function])
        for name in changed:
            self._store.resume(name)
        self.has_paused |= bool(changed)
        return [Pause(name=name, since_us=paused.get(name), is_changed=name in changed) for name in names]

    def _skip(self, mark: Mark, since_us: int) -> None:
        """Record what has passed unseen by a runner, and owe nothing."""
        now_us = self._store.now()
        if mark.mark_us >= now_us:
            return
        cron = Cron(mark.canonical, mark.canonical)
        debt = owed_in_pause(cron, mark_us=mark.mark_us, since_us=since_us, now_us=now_us, cause=NO_RUNNER)
        self._store.record_gaps(_gaps(mark, debt.missed))
        self._store.lengthen_gaps(_gaps(mark, debt.skipped))
        self._store.set_marks([Mark(mark.function, mark.canonical, now_us)])

    def _stored(self, id: str) -> Execution:
        found = self._store.get(id)
        if found is None:
            raise ExecutionNotFound(f"no execution has the id {id!r}", mend="see `defer executions`")
        return found


CHANGES: Mapping[str, Callable[..., Any]] = {
    "cancel": Changes.cancel,
    "reschedule": Changes.reschedule,
    "rerun": Changes.rerun,
    "prune": Changes.prune,
    "pause": Changes.pause,
    "resume": Changes.resume,
}


def _each(ids: Sequence[str], one: Callable[[str], Execution], of_an_attempt: type[DeferError]) -> list[Change]:
    _check_number(ids, "executions")
    return [_outcome(id, one, of_an_attempt) for id in ids]


def _check_number(asked: Sequence[str], what: str) -> None:
    if len(asked) > MOST_AT_ONCE:
        raise DeferError(f"{len(asked):,} {what} at once", mend=f"ask for at most {MOST_AT_ONCE}")


def _gaps(mark: Mark, span: Span | None) -> list[Gap]:
    return [] if span is None else [Gap(mark.function, mark.canonical, span.after_us, span.until_us, span.reason)]


def _outcome(id: str, one: Callable[[str], Execution], of_an_attempt: type[DeferError]) -> Change:
    try:
        whole, dot, number = id.partition(".")
        if dot and number.isdecimal():
            raise of_an_attempt(f"{id} is one attempt, which cannot be changed", mend=f"use {whole}")
        return Change(id=id, execution=one(id))
    except DeferError as error:
        return Change(id=id, refusal=Refusal.of(error))


def _not_cancellable(found: Execution) -> ExecutionNotCancellable:
    if found.state is State.STARTED:
        mend = "force it to abort what runs: force=True, or `defer cancel --force`"
    elif found.state is State.ABORTING:
        mend = "wait for its end"
    else:
        mend = None
    return ExecutionNotCancellable(
        f"cannot cancel execution in {found.state} state", state=found.state, where=found.id, mend=mend
    )
