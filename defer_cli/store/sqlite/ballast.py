"""Room that is kept on the disk and given up once the disk is full: what runs can then be written down."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from defer_cli.domain.errors import StoreFull
from defer_cli.domain.size import size_in_words

BALLAST_BYTES = 16 * 1024 * 1024
ROOM_BYTES = 8 * 1024 * 1024
"""What must be free beside the ballast before new work is taken again: as much as a log is long."""
LEAST_TIMES = 4
"""Of its size must be free where one is laid."""
_OWNER_ONLY = 0o600


class Ballast:
    """A file that holds nothing. A disk with less than four times its size free has no place for it, and gets none."""

    def __init__(self, path: Path, *, bytes: int = BALLAST_BYTES) -> None:
        """``bytes`` is 0 where none is to be kept."""
        self._path = path
        self._bytes = bytes
        self._was_laid = False
        self.is_given_up = False
        """Whether the disk is full, as far as is known."""

    def lay(self) -> None:
        """Reserve its room where there is enough; one that was left there is taken as it is."""
        if self._bytes and (self._is_there() or _free_bytes(self._path.parent) >= LEAST_TIMES * self._bytes):
            self._was_laid = self._is_there() or self._reserve()

    def give_up(self) -> None:
        """Leave its room to what has to be written. Truncated first: somebody else may hold it open."""
        self.is_given_up = True
        with suppress(OSError):
            os.truncate(self._path, 0)
            os.unlink(self._path)

    def lay_again(self) -> bool:
        """Return whether new work may be tried: the room is reserved again, or there was none to reserve."""
        if not self._was_laid:
            self.lay()
        elif _free_bytes(self._path.parent) < self._bytes + ROOM_BYTES or not self._reserve():
            return False
        self.is_given_up = False
        return True

    def require_room(self) -> None:
        """Raise ``StoreFull`` while it is given up: what is left is for what was taken before."""
        if self.is_given_up:
            least = f", {size_in_words(self._bytes + ROOM_BYTES)} at least" if self._was_laid else ""
            raise StoreFull(
                "the disk is full, so no new work is taken",
                where=str(self._path.parent),
                mend=f"free disk space{least}; queued executions are safe, and what runs goes on",
            )

    def _is_there(self) -> bool:
        try:
            status = os.stat(self._path)
        except OSError:
            return False
        return status.st_size == self._bytes and status.st_blocks * 512 >= self._bytes

    def _reserve(self) -> bool:
        """A file with a hole would reserve nothing, and one of zeros would have to be written."""
        try:
            descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, _OWNER_ONLY)
            try:
                os.posix_fallocate(descriptor, 0, self._bytes)
            finally:
                os.close(descriptor)
        except OSError:
            with suppress(OSError):
                os.unlink(self._path)
            return False
        return True


def ballast_of(database: Path) -> Path:
    """Return where the ballast of a database is."""
    return database.with_name("ballast")


def _free_bytes(folder: Path) -> int:
    """Return how much this user may still write there; root may write what others may not."""
    try:
        space = os.statvfs(folder)
    except OSError:
        return 0
    return (space.f_bavail if os.geteuid() else space.f_bfree) * space.f_frsize
