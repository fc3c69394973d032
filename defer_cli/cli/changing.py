"""What `cancel`, `reschedule` and `rerun` share: which executions, asking first, telling what came of each."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
from msgspec import structs

from defer_cli.changes import MOST_AT_ONCE
from defer_cli.cli import access
from defer_cli.cli.check import counted
from defer_cli.cli.failures import FAILED, INTERRUPTED, NOT_FOUND, OK, UsageError, show_error
from defer_cli.cli.output import say, show_json
from defer_cli.cli.steps import Progress, Steps, is_wanted, may_ask
from defer_cli.domain.changes import Refusal
from defer_cli.domain.errors import ExecutionNotFound
from defer_cli.domain.states import State
from defer_cli.domain.visible import visible

if TYPE_CHECKING:
    from defer_cli.cli.filters import Chosen
    from defer_cli.cli.place import DataPlace

_LINES_A_WRITE = 100
"""Python loses the rest of a text larger than its buffer when a signal that is handled comes while a pipe is full."""

All: TypeAlias = Annotated[
    bool, typer.Option("--all", help="All that pass the filters below; without one, all there are. Asks first.")
]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; needed where nobody can answer.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be done with executions: the change, its words, and which states it makes sense for."""

    change: str
    done: str
    states: Sequence[State]
    parameters: Callable[[Sequence[str]], Mapping[str, Any]]
    again: Mapping[str, Any] | None = field(default_factory=lambda: {"is_again": True})
    line: Callable[[Mapping[str, Any]], str] = lambda execution: str(execution["id"])
    note: Callable[[Mapping[str, Any]], None] = lambda execution: None


def change_executions(
    wish: Wish, ids: Sequence[str], place: DataPlace, chosen: Chosen, *, is_all: bool, is_sure: bool, as_json: bool
) -> int:
    """Change the executions that are named, or all that pass the filters; return the exit code.

    Raises ``UsageError`` before anything is changed.
    """
    _check_usage(wish, ids, chosen, is_all=is_all)
    if is_all:
        ids = _ids_of(wish, place, chosen)
        if ids and not (is_sure or _is_wanted(wish, len(ids), chosen)):
            return FAILED
        if not ids:
            say(f"nothing to {wish.change}" if chosen.is_everything else "no execution passes these filters")
    told = _Told(wish, is_all=is_all, as_json=as_json)
    code = _change(wish, list(dict.fromkeys(ids)), place, told)
    if as_json:
        show_json({"changed": told.changed, "refused": told.refused})
    return code


def _check_usage(wish: Wish, ids: Sequence[str], chosen: Chosen, *, is_all: bool) -> None:
    if is_all and ids:
        raise UsageError("--all and ids are both given", mend="give one of them")
    if not is_all and not chosen.is_everything:
        raise UsageError(f"{chosen.words[0]} narrows --all, and that is not there", mend="add --all")
    if not is_all and not ids:
        raise UsageError(f"which executions to {wish.change}?", mend="name their ids, or --all with filters")
    wrong = [state for state in chosen.filters.states if state not in wish.states]
    if wrong:
        able = ", ".join(wish.states)
        mend = f"only these can be: {able}" + ("; with --force also started" if wish.change == "cancel" else "")
        raise UsageError(f"executions in {wrong[0]} state cannot be {wish.done}", where="--state", mend=mend)


def _ids_of(wish: Wish, place: DataPlace, chosen: Chosen) -> list[str]:
    """Return the ids that pass the filters now, in the order of the queue; what comes later is not among them.

    What waits comes first: places that an abort frees are not to be taken by what is cancelled next.
    """
    chosen.check_names(place)
    if not place.has_store():
        return []
    if not chosen.filters.states:
        chosen = structs.replace(chosen, filters=replace(chosen.filters, states=tuple(map(str, wish.states))))
    waiting: list[str] = []
    others: list[str] = []
    progress = Progress()
    filters, cursor, has_more = chosen.data(), None, True
    while has_more:
        page = {"first": MOST_AT_ONCE, "after": cursor}
        answer = access.ask(place.data, "executions", page=page, filters=filters)
        for execution in answer["items"]:
            (waiting if execution["state"] == State.CREATED else others).append(execution["id"])
        has_more, cursor = answer["page_info"]["has_next_page"], answer["page_info"]["end_cursor"]
        progress.show(f"{len(waiting) + len(others):,} found")
    progress.end()
    return waiting[::-1] + others[::-1]


def _is_wanted(wish: Wish, count: int, chosen: Chosen) -> bool:
    what = f"{wish.change} {counted(count, 'execution')}"
    if not may_ask():
        raise UsageError(f"this would {what}, and nobody is there to be asked", mend="add --yes")
    narrowed = f" ({' '.join(chosen.words)})" if chosen.words else ""
    return is_wanted(f"{what}{narrowed}?")


def _change(wish: Wish, ids: list[str], place: DataPlace, told: _Told) -> int:
    progress = Progress(is_quiet=sys.stdout.isatty())
    with Steps(place.data) as steps:
        try:
            for batch in _batches(ids):
                if steps.is_stopped:
                    break
                told.keep(_outcomes(wish, batch, place, steps))
                if steps.rest():
                    told.tell()
                    progress.show(f"{told.count:,} of {len(ids):,} {wish.done}")
            steps.leave()
            told.tell()  # in here, or a Ctrl-C would cut the telling of what is done
        except BaseException:
            steps.leave()
            told.tell()
            progress.end()
            if len(ids) > MOST_AT_ONCE:
                say(f"{told.count:,} of {len(ids):,} {wish.done} before it broke off")
            raise
    progress.end()
    if told.seen < len(ids):
        say(f"interrupted: {told.count:,} of {len(ids):,} {wish.done}, the others are as they were")
        return INTERRUPTED
    if len(ids) > 1 or told.went_on:
        say(f"{counted(told.count, 'execution')} {wish.done}{told.others_words()}")
    return told.code


def _outcomes(wish: Wish, ids: Sequence[str], place: DataPlace, steps: Steps) -> list[dict[str, Any]]:
    if place.has_store():
        changes: list[dict[str, Any]] = steps.make(wish.change, wish.parameters(ids), again=wish.again)
        return changes
    import msgspec

    mend = f"nothing was ever stored in {place.data.path}"
    unknown = {id: ExecutionNotFound(f"no execution has the id {id!r}", mend=mend) for id in ids}
    return [{"id": id, "refusal": msgspec.to_builtins(Refusal.of(error))} for id, error in unknown.items()]


def _batches(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), MOST_AT_ONCE):
        yield ids[start : start + MOST_AT_ONCE]


class _Told:
    """What came of the changes: told as it comes, or kept for one document."""

    def __init__(self, wish: Wish, *, is_all: bool, as_json: bool) -> None:
        self._wish = wish
        self._is_all = is_all
        self._as_json = as_json
        self._kept: list[Mapping[str, Any]] = []
        self.went_on: Counter[str] = Counter()
        self.changed: list[Mapping[str, Any]] = []
        self.refused: list[Mapping[str, Any]] = []
        self.seen = 0
        self.count = 0
        self.code = OK

    def keep(self, outcomes: Sequence[Mapping[str, Any]]) -> None:
        """Take a step's, to be told when the store is free."""
        self._kept.extend(outcomes)

    def tell(self) -> None:
        """Tell what was kept."""
        outcomes, self._kept = self._kept, []
        self.seen += len(outcomes)
        lines = []
        for outcome in outcomes:
            execution = outcome.get("execution")
            if execution is None:
                self._refuse(outcome)
                continue
            self.count += 1
            self._wish.note(execution)
            if self._as_json:
                self.changed.append(execution)
            else:
                lines.append(visible(self._wish.line(execution)))
        for start in range(0, len(lines), _LINES_A_WRITE):
            print("\n".join(lines[start : start + _LINES_A_WRITE]))
        if lines:
            sys.stdout.flush()

    def _refuse(self, outcome: Mapping[str, Any]) -> None:
        refusal = Refusal(**outcome["refusal"])
        if self._as_json:
            self.refused.append({"id": outcome["id"], **outcome["refusal"]})
        if self._is_all and (refusal.state is not None or refusal.kind == ExecutionNotFound.__name__):
            self.went_on[refusal.state or "pruned"] += 1  # it was not named: it does not pass the filters any more
            return
        if refusal.kind == ExecutionNotFound.__name__:
            self.code = NOT_FOUND
        elif self.code == OK:
            self.code = FAILED
        if not self._as_json:
            show_error(refusal.error())

    def others_words(self) -> str:
        """Return what became of those that were not changed."""
        if self.went_on:
            states = ", ".join(f"{count:,} {state}" for state, count in self.went_on.most_common())
            return f"; {self.went_on.total():,} went on before their turn came: {states}"
        return f", {self.seen - self.count:,} refused" if self.seen > self.count else ""
