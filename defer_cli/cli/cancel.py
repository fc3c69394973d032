"""`defer cancel`: takes executions out of the queue; with --force it also aborts those that run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from defer_cli.cli import access, completing
from defer_cli.cli.changing import All, Wish, Yes, change_executions
from defer_cli.cli.filters import Chosen, filtered
from defer_cli.cli.options import Data, Json, Project
from defer_cli.cli.output import say
from defer_cli.domain.states import State

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", autocompletion=completing.ids, help="The executions.")
]
Force = Annotated[
    bool, typer.Option("--force", help="Also abort what runs: it gets a CancelledError, 5 s later its process ends.")
]


@filtered
def cancel(
    *,
    ids: Ids = None,
    force: Force = False,
    all_of_them: All = False,
    chosen: Chosen,
    yes: Yes = False,
    project: Project = None,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Cancel executions that wait and print their ids; exit 1 when one was refused, 4 when one is not there."""
    from defer_cli.cli.place import find_data

    states: Counter[str] = Counter()

    def note(execution: Mapping[str, Any]) -> None:
        states[execution["state"]] += 1

    place = find_data(project, data)
    wish = Wish(
        change="cancel",
        done="cancelled",
        states=(State.CREATED, State.STARTED) if force else (State.CREATED,),
        parameters=lambda batch: {"ids": batch, "is_forced": force},
        note=note,
    )
    code = change_executions(wish, ids or (), place, chosen, is_all=all_of_them, is_sure=yes, as_json=as_json)
    if states[State.ABORTING]:
        _tell_of_aborts(states[State.ABORTING], has_runner=access.reach(place.data) is not None)
    return code


def _tell_of_aborts(count: int, *, has_runner: bool) -> None:
    number = "1 runs and is" if count == 1 else f"{count:,} run and are"
    if has_runner:
        say(f"{number} being aborted: CancelledError now, the end of the process 5 s later")
    else:
        say(f"{number} marked to be aborted; no runner is alive, the next one does it when it starts")
