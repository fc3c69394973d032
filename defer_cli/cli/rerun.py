"""`defer rerun`: calls functions once more with the arguments of earlier executions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from defer_cli.cli import completing
from defer_cli.cli.changing import All, Wish, Yes, change_executions
from defer_cli.cli.filters import Chosen, filtered
from defer_cli.cli.options import Data, Json, Project
from defer_cli.domain.states import State

Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID]...", autocompletion=completing.ids, help="The executions, in any state."),
]


@filtered
def rerun(
    *,
    ids: Ids = None,
    all_of_them: All = False,
    chosen: Chosen,
    yes: Yes = False,
    project: Project = None,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Run executions once more: same function, arguments, metadata; print each new id and what it is a rerun of."""
    from defer_cli.cli.place import find_data

    wish = Wish(
        change="rerun",
        done="enqueued once more",
        states=tuple(State),
        parameters=_pairs,
        again=None,  # a pair that was made already is not made twice
        line=_line,
    )
    place = find_data(project, data)
    return change_executions(wish, ids or (), place, chosen, is_all=all_of_them, is_sure=yes, as_json=as_json)


def _pairs(ids: Sequence[str]) -> Mapping[str, Any]:
    from defer_cli.domain.ids import random_id

    return {"pairs": [(id, random_id()) for id in ids]}


def _line(execution: Mapping[str, Any]) -> str:
    return f"{execution['id']} rerun of {execution['rerun_of']}"
