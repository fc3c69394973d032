"""Room that is kept for a full disk, given up, and kept again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from defer_cli.domain.errors import StoreFull
from defer_cli.store.sqlite import ballast as ballasts
from defer_cli.store.sqlite import open_store
from defer_cli.store.sqlite.ballast import ROOM_BYTES, Ballast
from tests.store.harness import call, insert

BYTES = 1 << 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ballast"


@pytest.fixture
def with_free(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Say how much is free on the disk."""
    return lambda free: monkeypatch.setattr(ballasts, "_free_bytes", lambda folder: free)


def laid(path: Path) -> Ballast:
    ballast = Ballast(path, bytes=BYTES)
    ballast.lay()
    return ballast


def test_its_room_is_reserved_and_nobody_else_may_read_it(path: Path) -> None:
    laid(path)

    assert path.stat().st_blocks * 512 >= BYTES
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("free", "is_laid"), [(4 * BYTES, True), (4 * BYTES - 1, False)])
def test_a_small_disk_gets_none(free: int, is_laid: bool, path: Path, with_free: Callable[[int], None]) -> None:
    with_free(free)
    laid(path)

    assert path.exists() is is_laid


def test_one_that_was_left_is_kept_whatever_is_free(path: Path, with_free: Callable[[int], None]) -> None:
    laid(path)
    with_free(0)
    ballast = laid(path)
    ballast.give_up()

    assert ballast.lay_again() is False


def test_a_file_with_a_hole_is_not_taken_for_one(path: Path) -> None:
    path.touch()
    os.truncate(path, BYTES)
    laid(path)

    assert path.stat().st_blocks * 512 >= BYTES


def test_given_up_its_room_is_free_also_when_somebody_holds_it_open(path: Path) -> None:
    ballast = laid(path)
    with path.open("rb") as held:
        ballast.give_up()

        assert os.fstat(held.fileno()).st_blocks == 0
    assert not path.exists()


def test_it_is_laid_again_once_there_is_room_beside_it(path: Path, with_free: Callable[[int], None]) -> None:
    ballast = laid(path)
    ballast.give_up()
    with_free(BYTES + ROOM_BYTES - 1)
    too_early = ballast.lay_again()
    with_free(BYTES + ROOM_BYTES)

    assert (too_early, ballast.lay_again(), path.exists()) == (False, True, True)


def test_without_one_new_work_is_tried_again_at_once(path: Path, with_free: Callable[[int], None]) -> None:
    with_free(0)
    ballast = laid(path)
    ballast.give_up()
    with pytest.raises(StoreFull):
        ballast.require_room()

    assert ballast.lay_again() is True
    ballast.require_room()


def test_while_it_is_given_up_a_call_is_refused_unless_it_is_stored_already(path: Path) -> None:
    store = open_store(path.with_name("defer.db"), has_ballast=True)
    known = call(id="known")
    insert(store, known)
    store.make_room()
    (again,) = insert(store, known)
    with pytest.raises(StoreFull, match=r"no new work .* MB at least"):
        insert(store, call())
    with pytest.raises(StoreFull), store.transaction():
        store.rerun("known", "again")
    store.keep_room()
    insert(store, call())
    store.close()

    assert again is not None


def test_where_no_ballast_is_asked_for_none_is_laid(path: Path) -> None:
    open_store(path.with_name("defer.db")).close()

    assert not path.exists()
