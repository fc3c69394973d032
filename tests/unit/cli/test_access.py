"""A command that owns the store for a moment leaves its files alone after a fatal error, and tells of that one."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from defer_cli.cli.access import _opened_store
from defer_cli.domain.errors import StoreError
from defer_cli.link.project import DataFolder
from defer_cli.store.sqlite import open_reader
from defer_cli.store.sqlite.store import SqliteStore
from tests.store.harness import call, insert, newest

DAMAGED = StoreError("the disk image is malformed", is_fatal=True)


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    return DataFolder(str(tmp_path))


def log_of(data: DataFolder) -> Path:
    return Path(f"{data.database}-wal")


def fail(data: DataFolder, error: Exception) -> None:
    with _opened_store(data) as store:
        insert(store, call())
        raise error


def test_after_a_fatal_error_the_log_is_kept_for_the_next_start(data: DataFolder) -> None:
    with pytest.raises(StoreError, match="malformed"):
        fail(data, DAMAGED)

    assert log_of(data).stat().st_size > 0
    with closing(open_reader(Path(data.database))) as reader:
        assert len(newest(reader, limit=10)) == 1


def test_after_any_other_error_it_is_folded(data: DataFolder) -> None:
    with pytest.raises(KeyError):
        fail(data, KeyError())

    assert not log_of(data).exists()


@pytest.mark.parametrize("end", ["abandon", "checkpoint"])
def test_a_store_that_cannot_be_closed_either_does_not_hide_the_error(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    def refuse(store: SqliteStore) -> None:
        raise StoreError("disk I/O error", is_fatal=True)

    monkeypatch.setattr(SqliteStore, end, refuse)

    with pytest.raises(StoreError, match="malformed"):
        fail(data, DAMAGED)
