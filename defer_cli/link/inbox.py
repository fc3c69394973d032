"""The inbox: calls made while no runner was alive, one fsynced file for many, named by time."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from itertools import count

import msgspec
from msgspec import Struct

from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.errors import DeferError
from defer_cli.link.ownership import give_to_owner, make_folder, sync_folder
from defer_cli.link.project import DataFolder

VERSION = 1
LARGEST_ENTRY = 64 * 1024 * 1024
_SUFFIX = ".calls"
_LONGEST_REASON = 4_000


class Entry(Struct, array_like=True):
    """What a file holds."""

    version: int
    calls: list[Enqueue]


class _AnyEntry(Struct, array_like=True):
    """The part of an entry that every version keeps."""

    version: int


class UnreadableEntry(DeferError):
    """A file of the inbox cannot be taken: damaged, or of a newer version."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode
_decode_version = msgspec.msgpack.Decoder(_AnyEntry).decode
_numbers = count()
_last_ns = 0


def write_entry(folder: DataFolder, calls: Sequence[Enqueue]) -> str:
    """Put calls on disk as one file; return its name. Raises ``OSError``."""
    folder.create()
    make_folder(folder.inbox, mode=0o700)
    name = _next_name()
    _write_file(folder.inbox, name, _encode(Entry(VERSION, list(calls))))
    return name


def list_entries(folder: DataFolder) -> list[str]:
    """Return the names of the files, oldest first."""
    return _names(folder.inbox)


def list_refused(folder: DataFolder) -> list[str]:
    """Return the names of the files that were refused and are still kept, oldest first."""
    return _names(folder.refused)


def count_refused(folder: DataFolder) -> int:
    """Return how many files were refused and are still kept."""
    return len(list_refused(folder))


def reason_of(folder: DataFolder, name: str) -> str:
    """Return why a file was refused, its first lines as one."""
    path = os.path.join(folder.refused, f"{name}.reason")
    try:
        return " · ".join(_read_file(path)[:_LONGEST_REASON].decode("utf-8", "replace").splitlines())
    except OSError:
        return "nobody wrote down why"


def read_entry(folder: DataFolder, name: str) -> list[Enqueue]:
    """Return the calls of a file; raise ``UnreadableEntry`` when they cannot be taken."""
    path = os.path.join(folder.inbox, name)
    try:
        data = _read_file(path)
        version = _decode_version(data).version
        if version > VERSION:
            raise UnreadableEntry(
                f"it is of version {version}, this defer reads {VERSION}",
                where=path,
                mend="update defer, then move the file back into the inbox",
            )
        return _decode(data).calls
    except (OSError, msgspec.MsgspecError) as error:
        raise UnreadableEntry(f"it cannot be read: {error}", where=path, mend="restore it or delete it") from None


def remove_entry(folder: DataFolder, name: str) -> None:
    """Delete a file whose calls are stored; taking it twice would be harmless."""
    try:
        os.unlink(os.path.join(folder.inbox, name))
    except FileNotFoundError:
        pass


def refuse_entry(folder: DataFolder, name: str, reason: str, *, calls: Sequence[Enqueue] | None = None) -> str:
    """Move a file, or only ``calls`` of it, to the refused ones with the reason beside it; return its new path."""
    make_folder(folder.refused, mode=0o700)
    _write_file(folder.refused, f"{name}.reason", f"{reason}\n".encode("utf-8", "backslashreplace"))
    if calls is None:
        os.replace(os.path.join(folder.inbox, name), os.path.join(folder.refused, name))
        sync_folder(folder.refused)
    else:
        _write_file(folder.refused, name, _encode(Entry(VERSION, list(calls))))
        remove_entry(folder, name)
    return os.path.join(folder.refused, name)


def _names(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(_SUFFIX) and not name.startswith("."))
    except FileNotFoundError:
        return []


def _next_name() -> str:
    global _last_ns
    _last_ns = max(time.time_ns(), _last_ns + 1)  # a clock that steps back must not reorder this process's calls
    return f"{_last_ns:020d}-{os.getpid()}-{next(_numbers)}{_SUFFIX}"


def _write_file(folder: str, name: str, data: bytes) -> None:
    hidden = os.path.join(folder, f".{name}")
    descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        give_to_owner(descriptor, folder)
        os.fsync(descriptor)
        os.rename(hidden, os.path.join(folder, name))
    except BaseException:
        os.unlink(hidden)
        raise
    finally:
        os.close(descriptor)
    sync_folder(folder)


def _read_file(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        data = file.read(LARGEST_ENTRY + 1)
    if len(data) > LARGEST_ENTRY:
        raise OSError(f"it is over {LARGEST_ENTRY:,} bytes")
    return data
