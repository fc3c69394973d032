"""`defer run`: the runner for production, with one record an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from defer_cli.cli.failures import INVALID, UsageError, show_warning
from defer_cli.cli.options import Data, Directory, Grace, Host, LogFormat, Port, Project, Slots, Workers

if TYPE_CHECKING:
    from defer_cli.cli.place import Place
    from defer_cli.discovery.discover import Discovery

LogLevelFlag = Annotated[
    str | None,
    typer.Option("--log-level", metavar="LEVEL", help="The least to tell: debug, info, warning, error; default: info."),
]
LogTimeFlag = Annotated[
    str | None,
    typer.Option("--log-time", metavar="on|off", help="Begin records with their time; default: on for json."),
]
Burst = Annotated[
    bool, typer.Option("--burst", help="Fire no crons; run what is due, then end: 1 when something failed or waits.")
]
Triggers = Annotated[
    list[str] | None,
    typer.Option("--trigger", metavar="CRON", help="Enqueue this cron once at start; may be repeated."),
]


def run(
    *,
    project: Project = None,
    directory: Directory = None,
    data: Data = None,
    workers: Workers = None,
    slots: Slots = None,
    host: Host = None,
    port: Port = None,
    grace: Grace = None,
    log_format: LogFormat = None,
    log_level: LogLevelFlag = None,
    log_time: LogTimeFlag = None,
    burst: Burst = False,
    trigger: Triggers = None,
) -> int:
    """Run the functions and fire the crons until told to stop; exit 3, and start nothing, on any problem."""
    import sys

    from defer_cli.cli.place import find_place
    from defer_cli.cli.records import RecordLog
    from defer_cli.cli.running import run_in

    place = find_place(
        project,
        directory,
        data,
        workers=workers,
        slots=slots,
        host=host,
        port=port,
        grace=grace,
        log_format=log_format,
        log_level=log_level,
        log_time=log_time,
    )
    triggers = tuple(trigger or ())
    found = _find_crons(triggers, place) if triggers else None
    _warn_of_deploys(place)
    settings = place.settings
    log = RecordLog(sys.stdout, settings.log_format, level=settings.log_level, has_time=settings.log_time)
    try:
        code = run_in(place, log, is_burst=burst, triggers=triggers, found=found)
        if code != INVALID:
            log.write("info", "runner stopped", {"exit": code})
    finally:
        log.flush()
    return code


def _find_crons(names: tuple[str, ...], place: Place) -> Discovery:
    """Return what discovery found, once all of ``names`` are known to be crons or the folder's rule is broken.

    Raises ``NotFound`` for a name that is none, ``UsageError`` for one that is no cron.
    """
    from defer_cli.cli.trigger import find_function
    from defer_cli.discovery.discover import discover

    found = discover(place.project, place.folder)
    functions = {spec.name: spec for spec in found.functions}
    for name in () if found.has_breach else names:
        if find_function(name, functions).kind != "cron":
            raise UsageError(
                f"{name} is no cron", where="--trigger", mend=f"enqueue it with its arguments: `defer trigger {name} …`"
            )
    return found


def _warn_of_deploys(place: Place) -> None:
    from defer_cli.cli.place import why_a_deploy_replaces

    why = why_a_deploy_replaces(place.data.path, project=str(place.project))
    if why is not None:
        show_warning(
            f"the data folder may be lost with the next deploy: {why}",
            where=place.data.path,
            mend="name one that stays: --data /var/lib/my-app, DEFER_DATA, or `data` in [tool.defer]",
        )
