"""`defer executions`: what was called, newest first, a page at a time."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from defer_cli.cli.failures import OK, UsageError
from defer_cli.cli.filters import Chosen, filtered
from defer_cli.cli.options import Data, Json, Project
from defer_cli.cli.output import cut, moment_words, say, short_distance, show_json
from defer_cli.cli.tables import show_table
from defer_cli.cli.wording import (
    STATE_STYLES,
    duration_words,
    metadata_words,
    moment_in,
    origin_words,
)
from defer_cli.domain.errors import SettingError
from defer_cli.domain.paging import LARGEST_SIZE, position_of
from defer_cli.domain.visible import visible

if TYPE_CHECKING:
    from defer_cli.cli.place import DataPlace

USUAL_LIMIT = 20
_LARGEST_LIMIT = 100_000
_PATIENCE_SECONDS = 10.0
_LONGEST_METADATA = 40

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=_LARGEST_LIMIT, metavar="N", help="How many to show.")]
After = Annotated[
    str | None, typer.Option("--after", metavar="CURSOR", help="Go on behind this place; a page's footer names it.")
]
Before = Annotated[
    str | None, typer.Option("--before", metavar="CURSOR", help="Go back: the page that ends at this place.")
]
_EMPTY_PAGE = {"has_next_page": False, "has_prev_page": False, "start_cursor": None, "end_cursor": None}


@filtered
def executions(
    *,
    chosen: Chosen,
    limit: Limit = USUAL_LIMIT,
    after: After = None,
    before: Before = None,
    project: Project = None,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Show executions, newest first: their state, when they were due, how long they ran, where they came from.

    For example: defer executions --state failed --since 2h --metadata user=12
    """
    _check_cursors(after, before)
    from defer_cli.cli.place import find_data

    place = find_data(project, data)
    chosen.check_names(place)
    walk = _Walk(place, chosen, limit=limit, after=after, before=before)
    if place.has_store():
        walk.run()
    if as_json:
        show_json({"items": walk.items, "page_info": walk.page_info})
    else:
        show_executions(walk.items)
    if not walk.items and not walk.page_info["has_next_page"]:
        say(_nothing(place, chosen, is_first=after is None and before is None))
    _tell_of_more(walk, _words_of(chosen, limit, project, data, is_json=as_json))
    return OK


def _check_cursors(after: str | None, before: str | None) -> None:
    if after is not None and before is not None:
        raise UsageError("--after and --before are both given", mend="give one of them")
    for flag, cursor in (("--after", after), ("--before", before)):
        if cursor is not None:
            try:
                position_of(cursor, where=flag)
            except SettingError as error:
                raise UsageError(error.problem, where=flag, mend="use the cursor that a page's footer names") from None


class _Walk:
    """Pages asked for one after the other until there are enough: a page holds 500 at most, or fewer on a search."""

    def __init__(self, place: DataPlace, chosen: Chosen, *, limit: int, after: str | None, before: str | None) -> None:
        self.items: list[dict[str, Any]] = []
        self.page_info: dict[str, Any] = dict(_EMPTY_PAGE)
        self.has_stopped_early = False
        self.is_backward = before is not None
        self._place = place
        self._filters = chosen.data()
        self._limit = limit
        self._cursor = before if self.is_backward else after

    def run(self) -> None:
        """Ask until there are enough, or no more, or a search has taken too long."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        is_first = True
        while True:
            size = min(self._limit - len(self.items), LARGEST_SIZE)
            items, info = self._page(size)
            self.items = items + self.items if self.is_backward else self.items + items
            self._note(info, is_first=is_first)
            is_first = False
            has_more = info["has_prev_page" if self.is_backward else "has_next_page"]
            if len(self.items) >= self._limit or not has_more:
                return
            if time.monotonic() > deadline and len(items) < size:
                self.has_stopped_early = True
                return

    def _page(self, size: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        from defer_cli.cli.access import ask

        page = {"last": size, "before": self._cursor} if self.is_backward else {"first": size, "after": self._cursor}
        answer = ask(self._place.data, "executions", page=page, filters=self._filters)
        info = answer["page_info"]
        self._cursor = info["start_cursor" if self.is_backward else "end_cursor"] or self._cursor
        return answer["items"], info

    def _note(self, info: dict[str, Any], *, is_first: bool) -> None:
        """Widen what is known of the whole by one page: one end stays, the other moves."""
        if is_first:
            self.page_info = dict(info)
            return
        moving = ("has_prev_page", "start_cursor") if self.is_backward else ("has_next_page", "end_cursor")
        for name in moving:
            self.page_info[name] = info[name]


def _nothing(place: DataPlace, chosen: Chosen, *, is_first: bool) -> str:
    if not is_first:
        return "no more executions"
    if not chosen.is_everything:
        return "no execution passes these filters"
    return f"no executions yet in {visible(place.data.path)}; call a function, or `defer trigger NAME`"


def _words_of(chosen: Chosen, limit: int, project: str | None, data: str | None, *, is_json: bool) -> list[str]:
    """Return the command that asks for the same list."""
    words = ["defer", "executions", *chosen.words]
    if limit != USUAL_LIMIT:
        words += ["--limit", str(limit)]
    for flag, value in (("--project", project), ("--data", data)):
        if value is not None:
            words += [flag, value]
    return [*words, "--json"] if is_json else words


def _tell_of_more(walk: _Walk, words: list[str]) -> None:
    info = walk.page_info
    if walk.has_stopped_early:
        say("the search took long and stopped here; the next page goes on with it")
    if info["has_prev_page"] and info["start_cursor"]:
        say(f"newer: {visible(shlex.join([*words, '--before', info['start_cursor']]))}")
    if info["has_next_page"] and info["end_cursor"]:
        say(f"older: {visible(shlex.join([*words, '--after', info['end_cursor']]))}")


@dataclass(frozen=True, slots=True)
class _Column:
    heading: str
    cell: Callable[[Mapping[str, Any], datetime], str]


_ID = _Column("id", lambda one, now: one["id"])
_FUNCTION = _Column("function", lambda one, now: one["function"])
_STATE = _Column("state", lambda one, now: one["state"])
_ERROR = _Column("error", lambda one, now: one["error_code"] or "")
_ATTEMPT = _Column("attempt", lambda one, now: str(one["attempt"] or ""))
_SCHEDULED = _Column("scheduled", lambda one, now: short_distance(_scheduled(one), now=now))
_SCHEDULED_AT = _Column("scheduled at", lambda one, now: moment_words(_scheduled(one)))
_DURATION = _Column("duration", lambda one, now: duration_words(one, now=now))
_ORIGIN = _Column("came from", lambda one, now: origin_words(one, is_whole=False))
_WHOLE_ORIGIN = _Column("came from", lambda one, now: origin_words(one))
_METADATA = _Column("metadata", lambda one, now: cut(metadata_words(one["metadata"]), _LONGEST_METADATA))

_NARROWEST = (_ID, _FUNCTION, _STATE, _SCHEDULED)
_USUAL = (_ID, _FUNCTION, _STATE, _ATTEMPT, _SCHEDULED, _DURATION)
_WIDE = (_ID, _FUNCTION, _STATE, _ERROR, _ATTEMPT, _SCHEDULED, _SCHEDULED_AT, _DURATION)
_LAYOUTS = (
    (*_WIDE, _WHOLE_ORIGIN, _METADATA),
    (*_WIDE, _ORIGIN, _METADATA),
    (*_WIDE, _ORIGIN),
    (*_USUAL, _ORIGIN),
    _USUAL,
    (*_NARROWEST, _DURATION),
    _NARROWEST,
)


def _scheduled(one: Mapping[str, Any]) -> datetime:
    moment = moment_in(one, "scheduled_at")
    assert moment is not None
    return moment


def show_executions(items: list[dict[str, Any]]) -> None:
    """Print executions as the richest table that the terminal has room for; nothing when there are none."""
    if not items:
        return
    now = datetime.now(UTC)
    show_table(
        [[column.heading for column in layout] for layout in _LAYOUTS],
        lambda number: [[column.cell(one, now) for column in _LAYOUTS[number]] for one in items],
        yielding="function",
        styles={"state": STATE_STYLES},
    )
