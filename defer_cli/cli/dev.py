"""`defer dev`: the engine that `defer run` has, with reload, and lines for a person."""

from __future__ import annotations

from defer_cli.cli.options import Data, Directory, Grace, Host, Port, Project, Slots, Workers


def dev(
    *,
    project: Project = None,
    directory: Directory = None,
    data: Data = None,
    workers: Workers = None,
    slots: Slots = None,
    host: Host = None,
    port: Port = None,
    grace: Grace = None,
) -> int:
    """Run the functions, reload them when a file is saved, say what happens; keeps going on problems.

    Ticks that were missed while it did not run are not made up for.
    """
    import sys

    from defer_cli.cli.human import HumanLog
    from defer_cli.cli.place import find_place
    from defer_cli.cli.running import run_in

    place = find_place(project, directory, data, workers=workers, slots=slots, host=host, port=port, grace=grace)
    log = HumanLog(sys.stdout)
    try:
        return run_in(place, log, is_dev=True)
    finally:
        log.flush()
