"""Folders of tests in memory: those of one process, whose claims need no disk, do not wait for one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 2 << 30


def _has_room() -> bool:
    return os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES


@pytest.fixture(scope="session")
def folders() -> Iterator[Iterator[Path]]:
    """Give folders that are not there yet; they go with the session."""
    with tempfile.TemporaryDirectory(prefix="tests-", dir=_MEMORY if _has_room() else None) as folder:
        yield (Path(folder) / str(number) for number in count())


@pytest.fixture
def tmp_path(folders: Iterator[Path]) -> Path:
    """Return a folder of the test's own."""
    path = next(folders)
    path.mkdir(mode=0o700)
    return path
