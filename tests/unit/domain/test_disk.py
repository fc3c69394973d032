"""A disk that fails, one that is full and a file that may not be written are mended in different ways."""

from __future__ import annotations

import errno
import os

import pytest

from defer_cli.domain.disk import CHECK_DISK, FREE_SPACE, MAKE_WRITABLE, file_error
from defer_cli.domain.errors import StoreError, StoreFull


@pytest.mark.parametrize(
    ("number", "kind", "mend", "is_fatal"),
    [
        (errno.ENOSPC, StoreFull, FREE_SPACE, False),
        (errno.EIO, StoreError, CHECK_DISK, True),
        (errno.EACCES, StoreError, MAKE_WRITABLE, False),
        (errno.EROFS, StoreError, MAKE_WRITABLE, False),
    ],
)
def test_what_failed_at_a_file_tells_its_mend(number: int, kind: type[StoreError], mend: str, is_fatal: bool) -> None:
    told = file_error(OSError(number, os.strerror(number)), "it failed", where="/data/defer.db")

    assert (type(told), told.problem, told.where) == (kind, "it failed", "/data/defer.db")
    assert (told.mend, told.is_fatal) == (mend, is_fatal)
