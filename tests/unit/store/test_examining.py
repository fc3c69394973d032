"""Looking at a database without a trace, and for damage within a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from defer_cli.domain.errors import StoreError
from defer_cli.store.sqlite import examining, open_store
from defer_cli.store.sqlite.examining import examined, has_safe_log, is_new_enough, look_for_damage
from tests.store.harness import enqueue


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "defer.db"
    store = open_store(path)
    for _ in range(20):
        enqueue(store)
    store.close()
    return path


def test_a_database_that_was_closed_is_read_without_a_trace(path: Path) -> None:
    with examined(path) as reader:
        assert sum(reader.counts().values()) == 20

    assert [file.name for file in path.parent.iterdir()] == ["defer.db"]


def test_what_was_written_ahead_and_left_there_is_read_too(path: Path) -> None:
    store = open_store(path)
    enqueue(store)
    store.abandon()
    with examined(path) as reader:
        assert sum(reader.counts().values()) == 21


def test_it_is_looked_at_whole_or_until_time_is_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examining, "_STEPS_A_LOOK", 1)

    assert look_for_damage(path) is True
    assert look_for_damage(path, seconds=60) is True
    assert look_for_damage(path, seconds=-1) is False


@pytest.mark.parametrize("is_owned", [False, True])
def test_damage_is_found(is_owned: bool, path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096 * 5)
        file.write(b"\xa5" * 4096 * 10)
    with pytest.raises(StoreError) as raised:
        look_for_damage(path, is_owned=is_owned)

    assert raised.value.is_fatal


@pytest.mark.parametrize(
    ("version", "is_enough", "is_safe"),
    [("3.37.2", False, False), ("3.38.0", True, False), ("3.51.2", True, False), ("3.51.3", True, True)],
)
def test_versions_are_compared_as_numbers(version: str, is_enough: bool, is_safe: bool) -> None:
    assert (is_new_enough(version), has_safe_log(version)) == (is_enough, is_safe)
