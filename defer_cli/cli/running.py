"""What `defer dev` and `defer run` share: a runner from its place to its exit code."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

from defer_cli.assembly import Plan, Runner
from defer_cli.cli.first_process import has_left_first_process
from defer_cli.engine.banner import RunnerListener
from defer_cli.engine.events import Logged, Note
from defer_cli.link.notify import take_manager

if TYPE_CHECKING:
    from defer_cli.cli.place import Place
    from defer_cli.discovery.discover import Discovery

_LEVELS = ((logging.ERROR, "error"), (logging.WARNING, "warning"), (logging.INFO, "info"), (0, "debug"))


def run_in(
    place: Place,
    listener: RunnerListener,
    *,
    is_dev: bool = False,
    is_burst: bool = False,
    triggers: tuple[str, ...] = (),
    found: Discovery | None = None,
) -> int:
    """Run until told to stop, or until a burst is done; return the exit code. Raises ``StoreError``."""
    plan = Plan(
        project=place.project,
        folder=place.folder,
        data=place.data,
        settings=place.settings,
        alerts=place.alerts,
        retention=place.retention,
        is_dev=is_dev,
        is_burst=is_burst,
        triggers=triggers,
        found=found,
        manager=take_manager(os.environ, knows_our_pid=not has_left_first_process()),
    )
    handler = _Warnings(listener)
    own = logging.getLogger("defer_cli")
    logging.getLogger().addHandler(handler)
    if place.settings.log_level == "debug":
        own.setLevel(logging.DEBUG)
    for variable in place.alerts.not_counted:
        listener.tell(Note("warning", "a variable does not count in .env", {"variable": variable}))
    try:
        return asyncio.run(Runner(plan, listener).run())
    finally:
        own.setLevel(logging.NOTSET)
        logging.getLogger().removeHandler(handler)


class _Warnings(logging.Handler):
    """What parts of the runner, and the libraries below it, warn of is shown like all else."""

    def __init__(self, listener: RunnerListener) -> None:
        super().__init__()
        self._listener = listener

    def emit(self, record: logging.LogRecord) -> None:
        level = next(name for least, name in _LEVELS if record.levelno >= least)
        raised = record.exc_info[1] if record.exc_info else None
        error = None if raised is None else repr(raised)
        self._listener.tell(Logged(level, record.getMessage(), record.name, error))
