"""What a file that cannot be read or written means to a person."""

from __future__ import annotations

import errno

from defer_cli.domain.errors import StoreError, StoreFull

FREE_SPACE = "free disk space; queued executions are safe"
MAKE_WRITABLE = "make the file and its folder writable for the user that runs defer"
CHECK_DISK = "check the disk; what was under way is decided at the next start"


def file_error(error: OSError, problem: str, *, where: str) -> StoreError:
    """Return what the operating system said of a file, with the mend that goes with it."""
    if error.errno == errno.ENOSPC:
        return StoreFull(problem, where=where, mend=FREE_SPACE)
    if error.errno == errno.EIO:
        return StoreError(problem, where=where, mend=CHECK_DISK, is_fatal=True)
    return StoreError(problem, where=where, mend=MAKE_WRITABLE)
