"""`defer backup`: a copy of everything that is stored, while the runner works."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from defer_cli.cli import access
from defer_cli.cli.failures import OK, NotFound, UsageError
from defer_cli.cli.options import Data, Json, Project
from defer_cli.cli.output import moment_words, say, show_json
from defer_cli.cli.steps import Progress
from defer_cli.domain.execution import rfc3339, to_moment
from defer_cli.domain.visible import visible

File = Annotated[str, typer.Argument(metavar="FILE", help="The file to write; it must not be there yet.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the file when it is there.")]


def backup(
    *, file: File, force: Force = False, project: Project = None, data: Data = None, as_json: Json = False
) -> int:
    """Write a copy of everything that is stored, as it is at one instant."""
    from defer_cli.cli.place import find_data
    from defer_cli.domain.size import size_in_words
    from defer_cli.store.sqlite.copying import back_up

    place = find_data(project, data)
    target = Path(file)
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent}", where=file, mend="make it first")
    if target.is_dir() or (target.exists() and not force):
        raise UsageError("it is there already", where=file, mend="choose another name, or --force to replace it")
    if not place.has_store():
        raise NotFound("nothing was ever stored", where=place.data.path, mend="is this the right project?")
    progress = Progress()
    with ExitStack() as stack:
        line = stack.enter_context(access.reached_or_owned(place.data))
        if line is not None:
            line.ask("cancel", ids=[])  # the inbox is taken in before any change
        made = back_up(
            Path(place.data.database),
            target,
            is_owned=line is not None,
            progress=lambda done, whole: progress.show(f"{100 * done // max(whole, 1)} % copied"),
        )
    progress.end()
    assert made.taken_us is not None
    if as_json:
        taken = rfc3339(to_moment(made.taken_us))
        show_json({"file": str(target), "bytes": made.bytes, "taken_at": taken})
        return OK
    print(target)
    say(f"{size_in_words(made.bytes)}, as of {moment_words(to_moment(made.taken_us))}; `defer restore {visible(file)}`")
    return OK
