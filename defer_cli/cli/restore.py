"""`defer restore`: a backup takes the place of what is stored."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from defer_cli.cli import access
from defer_cli.cli.failures import FAILED, OK, NotFound, UsageError
from defer_cli.cli.options import Data, Project
from defer_cli.cli.output import distance_words, moment_words, say
from defer_cli.cli.steps import Progress, is_wanted, may_ask
from defer_cli.domain.errors import StoreError
from defer_cli.domain.execution import to_moment
from defer_cli.domain.visible import visible

if TYPE_CHECKING:
    from defer_cli.store.sqlite.copying import Backup

File = Annotated[str, typer.Argument(metavar="FILE", help="A file that `defer backup` wrote.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; needed where nobody can answer.")]


def restore(*, file: File, yes: Yes = False, project: Project = None, data: Data = None) -> int:
    """Put a backup in the place of what is stored, while no runner is alive; what was there is kept aside.

    What waited or ran when the backup was taken runs again. No tick from before now is fired.
    """
    from defer_cli.cli.place import find_data
    from defer_cli.link import lock
    from defer_cli.store.sqlite import copying

    place = find_data(project, data)
    source = Path(file)
    if not source.is_file():
        raise NotFound("there is no such file", where=file, mend="name a file that `defer backup` wrote")
    database = Path(place.data.database)
    if source.resolve() == database.resolve():
        raise UsageError("this is the database itself", where=file, mend="name a file that `defer backup` wrote")
    found = _checked(source)
    place.data.require()
    if access.reach(place.data) is not None:
        raise StoreError("a runner is alive", where=place.data.path, mend="stop it, restore, and start it again")
    now = datetime.now(UTC)
    with lock.own(Path(place.data.lock), "command"):
        if database.exists() and not yes and not _is_wanted(place.data.path, found.taken_us, now):
            return FAILED
        aside = database.with_name(f"before-restore-{now:%Y%m%dT%H%M%S%f}")
        was_there = database.exists()
        progress = Progress()
        copying.restore(
            source,
            database,
            aside=aside,
            progress=lambda done, whole: progress.show(f"{100 * done // max(whole, 1)} % copied"),
        )
        progress.end()
    print(database)
    if was_there:
        say(f"what was there is kept in {visible(str(aside))}")
    say("start the runner: `defer run`; what waited or ran when the backup was taken runs again")
    return OK


def _checked(source: Path) -> Backup:
    """Return what a backup is; raise ``StoreError`` for a file that is none."""
    from defer_cli.store.sqlite.copying import check_backup

    try:
        return check_backup(source)
    except StoreError as error:
        error.mend = "name a file that `defer backup` wrote"
        raise


def _is_wanted(folder: str, taken_us: int | None, now: datetime) -> bool:
    if not may_ask():
        raise UsageError(
            f"this would replace what is stored in {folder}, and nobody is there to be asked", mend="add --yes"
        )
    when = ""
    if taken_us is not None:
        taken = to_moment(taken_us)
        when = f" by what was there at {moment_words(taken)} ({distance_words(taken, now=now)})"
    return is_wanted(f"replace what is stored in {visible(folder)}{when}?")
