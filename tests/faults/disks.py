"""Small disks of a test's own, which can be filled to the last byte."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_BLOCK = bytes(1 << 16)


class Disk:
    """A file system in memory, mounted on a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    @property
    def free_bytes(self) -> int:
        space = os.statvfs(self.folder)
        return space.f_bfree * space.f_frsize

    def fill(self) -> None:
        """Leave no byte free."""
        with self._filler.open("ab", buffering=0) as filler:
            try:
                while True:
                    filler.write(_BLOCK)
            except OSError:
                assert self.free_bytes == 0

    def clear(self) -> None:
        """Take back what was filled."""
        self._filler.unlink()


@contextmanager
def mounted(folder: Path, *, megabytes: int) -> Iterator[Disk]:
    """Mount a small disk for the block; a test that cannot mount one proves nothing, and fails."""
    folder.mkdir(mode=0o700)
    options = f"size={megabytes}m,mode=0700"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    if made.returncode:
        pytest.fail(f"a small disk cannot be mounted, which takes root on Linux: {made.stderr.strip()}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
