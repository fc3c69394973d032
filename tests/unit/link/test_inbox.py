"""Calls on disk while no runner lives."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from defer_cli.domain.enqueue import Enqueue
from defer_cli.link.inbox import (
    UnreadableEntry,
    count_refused,
    list_entries,
    list_refused,
    read_entry,
    reason_of,
    refuse_entry,
    remove_entry,
    write_entry,
)
from defer_cli.link.project import DataFolder


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(str(tmp_path / ".defer"))


def calls(count: int) -> list[Enqueue]:
    return [Enqueue(f"id-{number}", "compute", b"[1]", number, metadata={"a": "b"}) for number in range(count)]


def test_what_was_written_is_read(folder: DataFolder) -> None:
    name = write_entry(folder, calls(3))

    assert read_entry(folder, name) == calls(3)


def test_names_stand_in_order_of_time(folder: DataFolder) -> None:
    names = [write_entry(folder, calls(1)) for _ in range(5)]

    assert list_entries(folder) == names


def test_a_clock_that_steps_back_does_not_reorder_calls(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    first = write_entry(folder, calls(1))
    monkeypatch.setattr("defer_cli.link.inbox.time.time_ns", lambda: 1)

    second = write_entry(folder, calls(1))

    assert list_entries(folder) == [first, second]


def test_what_is_half_written_is_not_listed(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    write_entry(folder, calls(1))
    seen: list[list[str]] = []
    sync = os.fsync

    def look_then_sync(descriptor: int) -> None:
        seen.append(list_entries(folder))
        sync(descriptor)

    monkeypatch.setattr("defer_cli.link.inbox.os.fsync", look_then_sync)
    write_entry(folder, calls(1))

    assert len(seen[0]) == 1


def test_a_taken_entry_is_removed_once_or_twice(folder: DataFolder) -> None:
    name = write_entry(folder, calls(1))
    remove_entry(folder, name)
    remove_entry(folder, name)

    assert list_entries(folder) == []


def test_there_may_be_no_inbox(folder: DataFolder) -> None:
    assert (list_entries(folder), count_refused(folder)) == ([], 0)


def test_a_damaged_entry_is_refused_with_its_reason_beside_it(folder: DataFolder) -> None:
    name = write_entry(folder, calls(1))
    Path(folder.inbox, name).write_bytes(b"\xc1 no msgpack")
    with pytest.raises(UnreadableEntry, match="it cannot be read") as raised:
        read_entry(folder, name)

    path = refuse_entry(folder, name, str(raised.value))

    assert (list_entries(folder), count_refused(folder)) == ([], 1)
    assert "it cannot be read" in Path(f"{path}.reason").read_text()


def test_an_entry_of_a_newer_version_is_not_taken(folder: DataFolder) -> None:
    name = write_entry(folder, calls(1))
    Path(folder.inbox, name).write_bytes(msgspec.msgpack.encode([2, {"quite": "different"}]))

    with pytest.raises(UnreadableEntry, match="version 2, this defer reads 1"):
        read_entry(folder, name)


def test_only_what_cannot_be_taken_of_an_entry_is_refused(folder: DataFolder) -> None:
    name = write_entry(folder, calls(3))
    refuse_entry(folder, name, "the key is held", calls=calls(3)[1:2])
    os.rename(os.path.join(folder.refused, name), os.path.join(folder.inbox, name))

    assert [call.id for call in read_entry(folder, name)] == ["id-1"]


def test_a_link_in_the_inbox_is_not_followed(folder: DataFolder, tmp_path: Path) -> None:
    write_entry(folder, calls(1))
    (tmp_path / "secret").write_text("x")
    os.symlink(tmp_path / "secret", os.path.join(folder.inbox, "0.calls"))

    with pytest.raises(UnreadableEntry):
        read_entry(folder, "0.calls")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_writes_belongs_to_the_folders_owner(folder: DataFolder, tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 1234)
    name = write_entry(folder, calls(1))

    assert os.stat(os.path.join(folder.inbox, name)).st_uid == 1234


def test_why_an_entry_was_refused_is_read_as_one_line(folder: DataFolder) -> None:
    told, untold = write_entry(folder, calls(1)), write_entry(folder, calls(1))
    refuse_entry(folder, told, "first\nsecond")
    refuse_entry(folder, untold, "lost")
    os.unlink(os.path.join(folder.refused, f"{untold}.reason"))

    assert list_refused(folder) == [told, untold]
    assert reason_of(folder, told) == "first · second"
    assert reason_of(folder, untold) == "nobody wrote down why"
