"""Who owns a data folder: one runner for its life, or a command for its moment."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Literal, TypeAlias

from defer_cli.domain.disk import file_error
from defer_cli.domain.errors import StoreError

Holder: TypeAlias = Literal["runner", "command"]

COMMAND_WAIT = timedelta(seconds=10)
_PAUSE_SECONDS = 0.02


@contextmanager
def own(path: Path, holder: Holder) -> Iterator[None]:
    """Hold the lock file ``path`` for the block; it is never unlinked.

    A command that holds it is waited for, up to 10 s. Raises ``StoreError`` with the pid of a living runner, or why
    the file cannot be written.
    """
    with _telling(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, path, holder)
        with _telling(path):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps({"holder": holder, "pid": os.getpid()}).encode(), 0)
        yield
        with _telling(path):
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise file_error(error, f"the data folder is not to be had: {error.strerror}", where=str(path)) from None


@contextmanager
def kept_free(path: Path) -> Iterator[str | None]:
    """Keep owners away for the block without becoming one: nothing is written.

    Yields who owns the folder, in words, when it cannot be had; None when it is free, or nobody ever owned it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            held_by = None
        except BlockingIOError:
            held_by = _holder_words(*_read(descriptor))
        yield held_by
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, holder: Holder) -> None:
    deadline = time.monotonic() + COMMAND_WAIT.total_seconds()
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            held_by, pid = _read(descriptor)
            is_runner = held_by == "runner" and pid is not None and _lives(pid)
            if is_runner or time.monotonic() > deadline:
                raise _refusal(path, holder, held_by, pid) from None
        time.sleep(_PAUSE_SECONDS)


def _refusal(path: Path, holder: Holder, held_by: str, pid: int | None) -> StoreError:
    mend = "stop it first, or give this one its own --data folder"
    if holder == "command" and held_by == "runner":
        mend = "try again: it is starting or stopping"
    return StoreError(f"{path.parent} is owned by {_holder_words(held_by, pid)}", where=str(path), mend=mend)


def _holder_words(held_by: str, pid: int | None) -> str:
    return f"a {held_by} (pid {pid})" if pid else "another process"


def _lives(pid: int) -> bool:
    """Whether a process lives: the file of a killed runner names it until the next holder has written."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _read(descriptor: int) -> tuple[str, int | None]:
    """Return what the file says of its holder; it is empty for the instant before the holder has written."""
    try:
        content = json.loads(os.pread(descriptor, 256, 0))
        return str(content["holder"]), int(content["pid"])
    except (ValueError, KeyError, TypeError):
        return "command", None
