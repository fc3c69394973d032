"""What a disk may hold after a power cut: certain is what was synced, and nothing else."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.faults.images import PAGE, Disk
from tests.faults.recording import Make, Operation, Rename, Resize, Sync, Unlink, Write

ROOT = "/r"
FILE, OTHER = f"{ROOT}/file", f"{ROOT}/other"
MADE = (Make(FILE), Sync(ROOT, 1))
"""A file whose name is on disk."""


def after(tmp_path: Path, *operations: Operation) -> set[tuple[tuple[str, bytes], ...]]:
    """Return all that is found after many cuts at the end: names with contents."""
    disk = Disk(Path(ROOT))
    for operation in operations:
        disk.do(operation)
    found = set()
    tmp_path.mkdir(exist_ok=True)
    for seed in range(60):
        target = tmp_path / str(seed)
        disk.image(target, Random(seed))
        found.add(tuple(sorted((path.name, path.read_bytes()) for path in target.iterdir())))
    return found


def test_a_write_without_a_sync_may_be_there_or_not(tmp_path: Path) -> None:
    assert after(tmp_path, *MADE, Write(FILE, 0, b"a")) == {(("file", b""),), (("file", b"a"),)}


def test_a_write_with_a_sync_is_there(tmp_path: Path) -> None:
    assert after(tmp_path, *MADE, Write(FILE, 0, b"a"), Sync(FILE, 3)) == {(("file", b"a"),)}


def test_a_sync_holds_nothing_that_was_written_after_it_began(tmp_path: Path) -> None:
    found = after(tmp_path, *MADE, Write(FILE, 0, b"a"), Write(FILE, 0, b"b"), Sync(FILE, 3))

    assert found == {(("file", b"a"),), (("file", b"b"),)}


def test_of_two_pages_either_may_arrive_alone_and_one_in_part(tmp_path: Path) -> None:
    first, second = b"a" * PAGE, b"b" * PAGE
    found = {contents for ((_, contents),) in after(tmp_path, *MADE, Write(FILE, 0, first + second))}

    assert {b"", first, bytes(PAGE) + second, first + second} <= found
    assert all(len(contents) <= 2 * PAGE for contents in found)


def test_a_name_is_there_once_its_folder_was_synced(tmp_path: Path) -> None:
    assert after(tmp_path, Make(FILE), Sync(FILE, 1)) == {(), (("file", b""),)}
    assert after(tmp_path / "synced", Make(FILE), Sync(ROOT, 1)) == {(("file", b""),)}


def test_a_rename_is_certain_once_the_folder_was_synced(tmp_path: Path) -> None:
    renamed = (*MADE, Rename(FILE, OTHER))

    assert after(tmp_path, *renamed) >= {(("file", b""),), (("other", b""),)}
    assert after(tmp_path / "synced", *renamed, Sync(ROOT, 3)) == {(("other", b""),)}


def test_what_was_taken_away_may_still_be_there(tmp_path: Path) -> None:
    assert after(tmp_path, *MADE, Unlink(FILE)) == {(), (("file", b""),)}
    assert after(tmp_path / "synced", *MADE, Unlink(FILE), Sync(ROOT, 3)) == {()}


def test_a_size_may_have_changed_or_not(tmp_path: Path) -> None:
    written = (*MADE, Write(FILE, 0, b"abc"), Sync(FILE, 3))

    assert after(tmp_path, *written, Resize(FILE, 1)) == {(("file", b"abc"),), (("file", b"a"),)}
    assert after(tmp_path / "more", *written, Resize(FILE, 2, is_at_least=True)) == {(("file", b"abc"),)}


def test_what_is_in_a_folder_is_gone_with_its_name(tmp_path: Path) -> None:
    folder, inner = f"{ROOT}/folder", f"{ROOT}/folder/inner"
    disk = Disk(Path(ROOT))
    for operation in (
        Make(folder, is_folder=True),
        Make(inner),
        Write(inner, 0, b"a"),
        Sync(inner, 3),
        Sync(folder, 3),
    ):
        disk.do(operation)
    found = set()
    for seed in range(20):
        disk.image(tmp_path / str(seed), Random(seed))
        found.add(tuple(str(path.relative_to(tmp_path / str(seed))) for path in (tmp_path / str(seed)).rglob("*")))

    assert {tuple(sorted(names)) for names in found} == {(), ("folder", "folder/inner")}
