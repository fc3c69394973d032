"""What functions print and log while a sandbox runs them: kept as their log, and seen by pytest as ever."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from defer_cli.client.context import scope_here
from defer_cli.client.marking import marked_records
from defer_cli.workers.logs import ContextHandler, ContextStream, current_log


class _Copied(ContextStream):
    """Gives each line to the execution that printed it, and to whoever captures what the test prints."""

    def write(self, text: str) -> int:
        log = current_log.get()
        if log is not None:
            log.write(self._name, text)
        return self._own.write(text)


@contextmanager
def caught_output() -> Iterator[None]:
    """Catch stdout, stderr and ``logging``, at the levels that the test has set, for the time of the block.

    Records of ``logging`` tell their execution, as in a worker.
    """
    before = sys.stdout, sys.stderr
    copied = _Copied("stdout", sys.stdout), _Copied("stderr", sys.stderr)
    handler = ContextHandler()
    handler.addFilter(lambda record: current_log.get() is not None)
    root = logging.getLogger()
    sys.stdout, sys.stderr = copied
    root.addHandler(handler)
    try:
        with marked_records(scope_here):
            yield
    finally:
        root.removeHandler(handler)
        if (sys.stdout, sys.stderr) == copied:  # else the test has put streams of its own there meanwhile
            sys.stdout, sys.stderr = before
