"""What processes wrote into a folder, in one order over all of them, as the kernel saw it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

_CALLS = (
    "openat,pwrite64,write,fsync,fdatasync,ftruncate,fallocate,"
    "rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir"
)
_LARGEST_WRITE = 16 << 20
_LINE = re.compile(r"^(\d+) +(.*)$")
_RESUMED = re.compile(r"^<\.\.\. \w+ resumed>(.*)$")
_DONE = re.compile(r"^(\w+)\((.*)\) += (-?\d+)")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_DESCRIPTOR = re.compile(r"^(\d+)<((?:\\x[0-9a-f]{2})*)>")
_UNFINISHED = " <unfinished ...>"
_TEMPORARY = ("-shm",)
"""Ends of names whose content means nothing after a power cut: the next who opens makes them anew."""


class Write(Struct, frozen=True):
    """Bytes of a file."""

    path: str
    offset: int
    data: bytes


class Resize(Struct, frozen=True):
    """A file got another size, or at least this one."""

    path: str
    size: int
    is_at_least: bool = False


class Make(Struct, frozen=True):
    """A file or folder was made."""

    path: str
    is_folder: bool = False


class Rename(Struct, frozen=True):
    """A name became another."""

    path: str
    target: str


class Unlink(Struct, frozen=True):
    """A name went away."""

    path: str


class Sync(Struct, frozen=True):
    """A file or folder is on the disk, as it was after the first ``begun`` operations."""

    path: str
    begun: int


class Said(Struct, frozen=True):
    """A process printed a line."""

    text: str


Operation: TypeAlias = Write | Resize | Make | Rename | Unlink | Sync | Said


def record(command: Sequence[str], *, trace: Path, folder: Path, environment: Mapping[str, str]) -> list[Operation]:
    """Run a command with all its processes beside ``folder``; return what they did to it, and what they printed."""
    options = ["-f", "-y", "-xx", "-s", str(_LARGEST_WRITE), "-e", f"trace={_CALLS}", "-e", "signal=none"]
    ran = subprocess.run(
        ["strace", *options, "-o", str(trace), *command],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=folder.parent,
    )
    assert ran.returncode == 0, ran.stdout
    with trace.open() as lines:
        return list(_Reader(folder).operations(lines))


class _Reader:
    """Reads a trace of strace's."""

    def __init__(self, folder: Path) -> None:
        self._parent, self._folder, self._below = str(folder.parent), str(folder), f"{folder}/"
        self._positions: dict[str, int] = {}
        self._sizes: dict[str, int] = {}
        self._known: set[str] = set()
        self._said: dict[str, str] = {}
        self._count = 0

    def operations(self, lines: Iterator[str]) -> Iterator[Operation]:
        waiting: dict[str, tuple[str, int]] = {}
        for line in lines:
            matched = _LINE.match(line)
            assert matched is not None, line[:200]
            thread, text = matched.groups()
            begun = self._count
            if text.endswith(_UNFINISHED):
                waiting[thread] = text.removesuffix(_UNFINISHED), begun
                continue
            resumed = _RESUMED.match(text)
            if resumed is not None and thread in waiting:
                first, begun = waiting.pop(thread)
                text = first + resumed.group(1)
            done = _DONE.match(text)
            if done is None or int(done.group(3)) < 0:
                continue
            for operation in self._read(done.group(1), done.group(2), int(done.group(3)), begun):
                self._count += 1
                yield operation

    def _read(self, call: str, arguments: str, result: int, begun: int) -> Iterator[Operation]:
        strings = [bytes.fromhex(found.replace("\\x", "")) for found in _STRING.findall(arguments)]
        if call in ("write", "pwrite64", "fsync", "fdatasync", "ftruncate", "fallocate"):
            yield from self._of_descriptor(call, arguments, strings, result, begun)
            return
        paths = [os.fsdecode(found) for found in strings]
        if not all(self._counts(path) for path in paths):
            assert not any(self._counts(path) for path in paths) or call == "rename", (call, paths)
            return
        if call == "openat":
            yield from self._opened(paths[0], arguments)
        elif call.startswith("rename"):
            self._known.discard(paths[0])
            self._known.add(paths[1])
            self._sizes[paths[1]] = self._sizes.pop(paths[0], 0)
            yield Rename(*paths)
        elif call.startswith("mkdir"):
            yield Make(paths[0], is_folder=True)
        else:
            self._known.discard(paths[0])
            yield Unlink(paths[0])

    def _opened(self, path: str, arguments: str) -> Iterator[Operation]:
        if "O_DIRECTORY" in arguments:
            return
        if "O_TRUNC" in arguments or path not in self._known:
            self._sizes[path] = 0
        self._positions[path] = self._sizes.get(path, 0) if "O_APPEND" in arguments else 0
        if "O_CREAT" in arguments and path not in self._known:
            self._known.add(path)
            yield Make(path)
        elif "O_TRUNC" in arguments:
            yield Resize(path, 0)

    def _of_descriptor(
        self, call: str, arguments: str, strings: list[bytes], result: int, begun: int
    ) -> Iterator[Operation]:
        found = _DESCRIPTOR.match(arguments)
        if found is None:
            return
        path = os.fsdecode(bytes.fromhex(found.group(2).replace("\\x", "")))
        if call == "write" and found.group(1) == "1" and strings:
            yield from self._printed(path, strings[0][:result].decode(errors="replace"))
        elif not self._counts(path):
            return
        elif call == "write":
            offset = self._positions.get(path, 0)
            self._positions[path] = offset + result
            yield self._written(path, offset, strings[0][:result])
        elif call == "pwrite64":
            yield self._written(path, int(arguments.rpartition(", ")[2]), strings[0][:result])
        elif call == "ftruncate":
            self._sizes[path] = int(arguments.rpartition(", ")[2])
            yield Resize(path, self._sizes[path])
        elif call == "fallocate":
            _, _, start, length = arguments.rsplit(", ", 3)
            yield Resize(path, int(start) + int(length), is_at_least=True)
        else:
            yield Sync(path, begun)

    def _written(self, path: str, offset: int, data: bytes) -> Write:
        self._sizes[path] = max(self._sizes.get(path, 0), offset + len(data))
        return Write(path, offset, data)

    def _printed(self, pipe: str, text: str) -> Iterator[Said]:
        *whole, self._said[pipe] = (self._said.get(pipe, "") + text).split("\n")
        for line in whole:
            yield Said(line)

    def _counts(self, path: str) -> bool:
        is_there = path in (self._parent, self._folder) or path.startswith(self._below)
        return is_there and not path.endswith(_TEMPORARY)
