"""What a disk may hold when the power goes: what was synced for certain, of the rest any part.

A file's bytes are certain up to its last sync. Of what was written since, each page may have arrived or not, whatever
was written before or after it, and one of them only in part. Names are certain up to the last sync of their folder; of
those that were made, changed or taken away since, the first few may be as they were meant, in their order. That is
stricter than the common file systems, which keep the order of more, and asks a program to sync a folder after it has
made a file in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.faults.recording import Make, Operation, Rename, Resize, Said, Sync, Unlink, Write

PAGE = 4096
_SECTOR = 512
_MODES = ("nothing", "everything", "some", "first")
"""How much of what was not synced arrives."""


@dataclass(eq=False)
class _File:
    content: bytearray = field(default_factory=bytearray)
    waiting: list[tuple[int, Write | Resize]] = field(default_factory=list)
    """What was written since the last sync, each with the number of its operation."""


@dataclass(eq=False)
class _Folder:
    names: dict[str, _File | _Folder] = field(default_factory=dict)
    waiting: list[tuple[int, str, _File | _Folder | None]] = field(default_factory=list)
    """Names that were given or, with None, taken away since the last sync."""


class Disk:
    """The state of a disk, operation after operation; the folder it begins with is there and empty."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._top = _Folder()
        self._live: dict[str, _File | _Folder] = {self._root: self._top}
        self._count = 0

    def do(self, operation: Operation) -> None:
        """Take in what was done next."""
        self._count += 1
        if isinstance(operation, Write | Resize):
            file = self._live[operation.path]
            assert isinstance(file, _File)
            file.waiting.append((self._count, operation))
        elif isinstance(operation, Make):
            self._name(operation.path, _Folder() if operation.is_folder else _File())
        elif isinstance(operation, Rename):
            entry = self._live.pop(operation.path)
            self._name(operation.path, None)
            self._name(operation.target, entry)
        elif isinstance(operation, Unlink):
            self._name(operation.path, None)
        elif isinstance(operation, Sync):
            self._sync(self._live[operation.path], operation.begun)

    def image(self, target: Path, random: Random) -> None:
        """Lay down in ``target`` what may be found after a power cut now."""
        _lay(self._top, target, random)

    def _name(self, path: str, entry: _File | _Folder | None) -> None:
        parent, name = os.path.split(path)
        folder = self._live[parent]
        assert isinstance(folder, _Folder)
        folder.waiting.append((self._count, name, entry))
        if entry is None:
            self._live.pop(path, None)
        else:
            self._live[path] = entry

    def _sync(self, entry: _File | _Folder, begun: int) -> None:
        if isinstance(entry, _File):
            _write(entry.content, (one for number, one in entry.waiting if number <= begun))
            entry.waiting = [one for one in entry.waiting if one[0] > begun]
        else:
            _give(entry.names, [one for one in entry.waiting if one[0] <= begun])
            entry.waiting = [one for one in entry.waiting if one[0] > begun]


def _give(names: dict[str, _File | _Folder], given: Iterable[tuple[int, str, _File | _Folder | None]]) -> None:
    for _, name, entry in given:
        if entry is None:
            names.pop(name, None)
        else:
            names[name] = entry


def _write(content: bytearray, operations: Iterable[Write | Resize]) -> None:
    for one in operations:
        size = one.size if isinstance(one, Resize) else one.offset + len(one.data)
        if size > len(content):
            content.extend(bytes(size - len(content)))
        if isinstance(one, Write):
            content[one.offset : one.offset + len(one.data)] = one.data
        elif not one.is_at_least:
            del content[size:]


def _lay(folder: _Folder, target: Path, random: Random) -> None:
    target.mkdir(mode=0o700, exist_ok=True)
    names = dict(folder.names)
    _give(names, _some(folder.waiting, random))
    for name, entry in names.items():
        if isinstance(entry, _Folder):
            _lay(entry, target / name, random)
        else:
            content = bytearray(entry.content)
            _write(content, _arrived([one for _, one in entry.waiting], random))
            (target / name).write_bytes(content)
            (target / name).chmod(0o600)


def _some(
    waiting: Sequence[tuple[int, str, _File | _Folder | None]], random: Random
) -> Sequence[tuple[int, str, _File | _Folder | None]]:
    return waiting[: random.choice((0, len(waiting), random.randint(0, len(waiting))))]


def _arrived(waiting: Sequence[Write | Resize], random: Random) -> Iterator[Write | Resize]:
    """Yield what of the operations since the last sync has arrived."""
    mode = random.choice(_MODES)
    first = random.randint(0, len(waiting))
    for number, one in enumerate(waiting):
        if mode == "nothing" or (mode == "first" and number >= first):
            return
        if isinstance(one, Resize) or mode != "some":
            yield one
            continue
        for page in _pages(one):
            if random.random() < 0.5:
                yield page
            elif random.random() < 0.05:
                yield Write(page.path, page.offset, page.data[:_SECTOR])


def _pages(write: Write) -> Iterator[Write]:
    begin = 0
    while begin < len(write.data):
        end = begin + PAGE - (write.offset + begin) % PAGE
        yield Write(write.path, write.offset + begin, write.data[begin:end])
        begin = end


def cuts(operations: Sequence[Operation], count: int, random: Random) -> list[int]:
    """Return after how many operations to cut the power, ``count`` times: around each sync, and anywhere."""
    syncs = [place for place, one in enumerate(operations) if isinstance(one, Sync)]
    around = [place + after for place in syncs for after in (0, 1)]
    anywhere = [place for place, one in enumerate(operations) if not isinstance(one, Said)]
    chosen = random.sample(around, min(len(around), count // 2))
    chosen += [random.choice(anywhere) + 1 for _ in range(count - len(chosen))]
    return sorted(chosen)
