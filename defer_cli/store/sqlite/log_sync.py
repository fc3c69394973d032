"""Waiting for the disk, after each commit, for the log that is written ahead."""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager
from pathlib import Path

from defer_cli.domain.disk import CHECK_DISK
from defer_cli.domain.errors import StoreError


class LogSync:
    """The log of a database, by a descriptor of its own. No locks lie on it: closing it takes none away.

    Between its commit and its sync a transaction can be seen by readers, and undone by a loss of power.
    """

    def __init__(self, log: Path | None) -> None:
        """``log`` None: nothing waits for the disk."""
        self._log = log
        self._descriptor = -1 if log is None else os.open(log, os.O_RDWR | os.O_CLOEXEC)
        self._lock = threading.Lock()

    def committing(self) -> AbstractContextManager[object]:
        """Within the block commit and sync: ``wait`` returns after it."""
        return self._lock

    def sync(self) -> None:
        """Return once the log is on disk; raise ``StoreError`` when it may not be: tried again it could seem to be."""
        if self._descriptor < 0:
            return
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            problem = f"the database failed: disk I/O error at the sync of its log ({error.strerror})"
            raise StoreError(problem, where=str(self._log), mend=CHECK_DISK, is_fatal=True) from error

    def wait(self) -> None:
        """Return once what is committed is on disk, as far as it ever will be; any thread may call."""
        with self._lock:
            pass

    def close(self) -> None:
        """Let go of the log; nothing can be synced any more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
