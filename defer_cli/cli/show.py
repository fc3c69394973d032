"""`defer show ID`: one execution with its attempts, arguments, result or error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from defer_cli.cli import completing
from defer_cli.cli.failures import OK, NotFound
from defer_cli.cli.options import Data, Json, Project
from defer_cli.cli.output import say, show_json
from defer_cli.domain.errors import ExecutionNotFound
from defer_cli.domain.ids import LENGTH, is_id
from defer_cli.domain.secrets import masked, masked_under
from defer_cli.domain.visible import visible

if TYPE_CHECKING:
    from defer_cli.cli.place import DataPlace

Id = Annotated[
    str,
    typer.Argument(metavar="ID", autocompletion=completing.ids, help="The execution, or one attempt of it as ID.N."),
]
_ATTEMPTS_A_PAGE = 10  # each may hold an error of 128 KiB, and an answer is one frame


def show(*, id: Id, project: Project = None, data: Data = None, as_json: Json = False) -> int:
    """Show one execution: its state, times and origin, arguments, result or error, and every attempt.

    What lies under a name that looks secret (password, token, api_key, …) is shown as •••.
    """
    from defer_cli.cli.place import find_data

    place = find_data(project, data)
    found = find_execution(place, id, with_all_attempts=as_json)
    if as_json:
        show_json(found)
    else:
        from defer_cli.cli.portrait import show_portrait

        show_portrait(found)
        if found["children"]:
            say(f"children: defer executions --parent {visible(found['id'])}")
    return OK


def find_execution(place: DataPlace, id: str, *, with_all_attempts: bool) -> dict[str, Any]:
    """Return all that is known of an execution, secrets masked; raise ``NotFound`` with what is wrong with the id."""
    id, whole, number = read_id(id)
    if not place.has_store():
        raise not_found(id)
    from defer_cli.cli.access import asking

    try:
        with asking(place.data) as ask:
            found: dict[str, Any] = ask("ending", id=id)
            arguments = json.loads(ask("arguments", id=whole))
            children = ask("children", id=whole) if number is None else {}
            attempts = _attempts(ask, whole, number, is_all=with_all_attempts)
    except ExecutionNotFound:
        raise not_found(id) from None
    result, error = found["result"], found["error"]
    return found | {
        "arguments": _named(arguments, found["function"], place),
        "result": None if result is None else masked(json.loads(result), also=place.masked_names()),
        "error": None if error is None else json.loads(error),
        "children": children,
        "attempts": attempts,
    }


def read_id(text: str) -> tuple[str, str, int | None]:
    """Return an id as it is stored, that of its execution, and the number of the attempt it names, if any."""
    whole, dot, number = text.strip().partition(".")
    whole = whole.lower() if is_id(whole.lower()) else whole
    if number.isascii() and number.isdecimal():
        return f"{whole}.{int(number)}", whole, int(number)
    return f"{whole}{dot}{number}", whole, None


def not_found(id: str) -> NotFound:
    """Return the error that says why there is no such execution, as far as its id tells."""
    whole, _, number = id.partition(".")
    if len(whole) != LENGTH:
        mend = f"an id has {LENGTH} characters, this has {len(whole)}; copy it from `defer executions`"
    elif not is_id(whole):
        mend = "ids hold digits and small letters, but never i, l, o and u; copy it from `defer executions`"
    elif number:
        mend = f"`defer show {whole}` lists its attempts"
    else:
        mend = "it may have been pruned, or belong to another project; see `defer executions`"
    return NotFound(f"no execution has the id {id!r}", mend=mend)


def _attempts(ask: Callable[..., Any], whole: str, number: int | None, *, is_all: bool) -> list[dict[str, Any]]:
    """Return attempts, oldest first: the last ones, all of them, or the one called ``number``."""
    from defer_cli.domain.paging import cursor_at

    page: dict[str, Any] = {"first": _ATTEMPTS_A_PAGE}
    if number is not None:
        page = {"first": 1, "after": cursor_at(number + 1)}
    newest_first: list[dict[str, Any]] = []
    while True:
        answer = ask("attempts", id=whole, page=page, filters={})
        newest_first += answer["items"]
        if number is not None or not is_all or not answer["page_info"]["has_next_page"]:
            return newest_first[::-1]
        page = {**page, "after": answer["page_info"]["end_cursor"]}


def _named(arguments: Any, function: str, place: DataPlace) -> dict[str, Any]:
    """Return stored arguments by position and by name, masked; a position is named by the file of the function."""
    from defer_cli.discovery.parameters import parameter_names

    args, kwargs = (arguments["args"], arguments["kwargs"]) if isinstance(arguments, dict) else (arguments, {})
    file = place.function_files().get(function)
    names, starred = ([], None) if file is None else parameter_names(Path(file), function)
    also = place.masked_names()
    names = [*names, *([starred or ""] * (len(args) - len(names)))]
    return {
        "args": [masked_under(name, value, also=also) for name, value in zip(names, args, strict=False)],
        "kwargs": masked(kwargs, also=also),
        "names": names[: len(args)],
    }
