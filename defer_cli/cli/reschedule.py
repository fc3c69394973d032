"""`defer reschedule`: gives executions that wait another time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from defer_cli.cli import completing
from defer_cli.cli.changing import All, Wish, Yes, change_executions
from defer_cli.cli.failures import UsageError, show_warning
from defer_cli.cli.filters import Chosen, filtered
from defer_cli.cli.moments import when_of
from defer_cli.cli.options import Data, Json, Project
from defer_cli.cli.output import distance_words, moment_words, say
from defer_cli.domain.execution import to_microseconds
from defer_cli.domain.ids import is_id
from defer_cli.domain.states import State

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ID]... [WHEN]",
        autocompletion=completing.ids,
        help="The executions, then a span from now (2h, 30 min) or a moment (UTC if unsaid); without one: now.",
    ),
]


@filtered
def reschedule(
    *,
    words: Words = None,
    all_of_them: All = False,
    chosen: Chosen,
    yes: Yes = False,
    project: Project = None,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Give executions that wait another time and print their ids; exit 1 when one was refused, 4 when not there."""
    from defer_cli.cli.place import find_data

    now = datetime.now(UTC)
    ids, text = _ids_and_when(words or [], is_all=all_of_them)
    when = when_of(text, "WHEN", now=now) if text else None
    moment = now + when if isinstance(when, timedelta) else when
    scheduled: list[datetime] = []

    def note(execution: Mapping[str, Any]) -> None:
        scheduled.append(datetime.fromisoformat(execution["scheduled_at"]))
        _warn_of_discard(execution)

    wish = Wish(
        change="reschedule",
        done="rescheduled",
        states=(State.CREATED,),
        parameters=lambda batch: {"ids": batch, "scheduled_us": None if moment is None else to_microseconds(moment)},
        note=note,
    )
    place = find_data(project, data)
    code = change_executions(wish, ids, place, chosen, is_all=all_of_them, is_sure=yes, as_json=as_json)
    if scheduled:
        due = scheduled[-1]
        distance = distance_words(due, now=now)
        is_now = due <= now + timedelta(seconds=1)
        say("due now" if is_now else f"due at {moment_words(due)}, {distance}")
    return code


def _ids_and_when(words: Sequence[str], *, is_all: bool) -> tuple[list[str], str]:
    """Return the ids, and the words of the time behind them: what does not look like an id, but for the first."""
    first = 0 if is_all else 1
    end = next((at for at, word in enumerate(words) if at >= first and not _is_like_an_id(word)), len(words))
    tail = words[end:]
    if any(map(_is_like_an_id, tail)):
        raise UsageError("there is an id behind the time", where="WHEN", mend="write the ids first, then the time")
    return list(words[:end]), " ".join(tail)


def _is_like_an_id(word: str) -> bool:
    return is_id(word.partition(".")[0])


def _warn_of_discard(execution: Mapping[str, Any]) -> None:
    """Say when it will be discarded before it is due: only what never started is."""
    if execution["discard_after"] is None or execution["attempt"]:
        return
    discard, due = (datetime.fromisoformat(execution[name]) for name in ("discard_after", "scheduled_at"))
    if discard <= due:
        show_warning(
            f"it will be discarded at {moment_words(discard)}, before it is due",
            where=f"execution {execution['id']}",
            mend="an earlier time; its discard_after stays as it was given",
        )
