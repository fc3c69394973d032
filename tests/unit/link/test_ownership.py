"""A folder that was made is on disk with its name, whoever may read the one above."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from defer_cli.link import ownership


def test_where_the_folder_above_cannot_be_read_all_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied")

    synced: list[bool] = []
    monkeypatch.setattr(ownership, "sync_folder", refuse)
    monkeypatch.setattr(os, "sync", lambda: synced.append(True))

    assert ownership.make_folder(str(tmp_path / "a" / "b"))
    assert synced == [True, True]


def test_a_folder_that_is_there_is_not_synced_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "sync_folder", lambda path: pytest.fail("it was there"))

    assert not ownership.make_folder(str(tmp_path))
