"""What `defer dev` and `defer run` share: a runner from its place to its exit code."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from defer_cli.assembly import Plan, Runner, RunnerListener
from defer_cli.engine.events import Note

if TYPE_CHECKING:
    from defer_cli.cli.place import Place
    from defer_cli.discovery.discover import Discovery


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
        is_dev=is_dev,
        is_burst=is_burst,
        triggers=triggers,
        found=found,
    )
    handler = _Warnings(listener)
    logging.getLogger().addHandler(handler)
    try:
        return asyncio.run(Runner(plan, listener).run())
    finally:
        logging.getLogger().removeHandler(handler)


class _Warnings(logging.Handler):
    """What parts of the runner, and the libraries below it, warn of is shown like all else."""

    def __init__(self, listener: RunnerListener) -> None:
        super().__init__(logging.WARNING)
        self._listener = listener

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= logging.ERROR else "warning"
        fields: dict[str, object] = {"logger": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = repr(record.exc_info[1])
        self._listener.tell(Note(level, record.getMessage(), fields))
