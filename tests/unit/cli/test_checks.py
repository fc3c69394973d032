"""The doctor's checks of what a test cannot break for real: limits, memory, room on the disk, versions, the clock."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from defer_cli.cli.checks import folder, machine
from defer_cli.cli.checks.findings import Finding, Level, ok, standing_alone
from defer_cli.cli.checks.store import StoreChecks
from defer_cli.domain.errors import StoreError
from defer_cli.domain.execution import to_microseconds
from defer_cli.domain.settings import Settings
from defer_cli.link.project import DataFolder
from defer_cli.store.sqlite import connection, examining, open_store
from tests.store.harness import NOON, SECOND, Clock, enqueue


def levels(found: Iterable[Finding]) -> dict[str, Level]:
    return {one.check: one.level for one in found}


def test_a_check_that_fails_keeps_what_it_found_and_is_a_problem_itself() -> None:
    def look(error: Exception) -> Callable[[], Iterable[Finding]]:
        def found() -> Iterable[Finding]:
            yield ok("a", "fine")
            raise error

        return found

    _, typed = standing_alone("b", look(StoreError("it\nis gone", where="/x", mend="find it")))
    _, of_the_system = standing_alone("b", look(PermissionError(13, "Permission denied", "/y")))
    first, unforeseen = standing_alone("b", look(ValueError("oh")))

    assert (typed.words, typed.mend) == ("it is gone (/x)", "find it")
    assert of_the_system.words == "Permission denied (/y)"
    assert (first.words, unforeseen.words) == ("fine", "the check itself failed: ValueError: oh")
    assert {typed.level, of_the_system.level, unforeseen.level} == {Level.PROBLEM}


@pytest.mark.parametrize(
    ("hard", "level"), [(1_024, Level.WARNING), (4_096, Level.OK), (resource.RLIM_INFINITY, Level.OK)]
)
def test_too_few_descriptors_are_a_warning(hard: int, level: Level, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_024, hard))

    assert levels(machine.check_limits(Settings()))["open files"] is level


@pytest.mark.parametrize(("workers", "level"), [(2, Level.OK), (40, Level.WARNING)])
def test_memory_is_measured_by_the_workers(workers: int, level: Level, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_of_the_machine", lambda: 8_000_000_000)
    monkeypatch.setattr(machine, "_of_the_group", lambda: 1_000_000_000)

    assert levels(machine.check_limits(Settings(workers=workers)))["memory"] is level


def test_an_old_sqlite_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examining, "is_new_enough", lambda: False)

    assert levels(machine.check_versions())["sqlite"] is Level.PROBLEM


@pytest.mark.parametrize(
    ("room", "kind", "level"),
    [
        (10_000_000, "ext4", Level.PROBLEM),
        (100_000_000, "ext4", Level.WARNING),
        (10_000_000_000, "ext4", Level.OK),
        (10_000_000_000, "nfs4", Level.PROBLEM),
        (10_000_000_000, None, Level.OK),
    ],
)
def test_the_disk_has_to_have_room_and_to_be_here(
    room: int, kind: str | None, level: Level, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "free_bytes", lambda _: room)
    monkeypatch.setattr(connection, "file_system_of", lambda *_: kind)

    assert levels(folder.check_disk(DataFolder(str(tmp_path / "not-yet" / ".defer")))) == {"disk": level}


def test_a_folder_in_the_way_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / ".defer").write_text("")

    assert levels(folder.check_folder(DataFolder(str(tmp_path / ".defer")), str(tmp_path))) == {
        "data folder": Level.PROBLEM
    }


def test_a_folder_of_another_user_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".defer").mkdir(mode=0o700)
    monkeypatch.setattr("os.geteuid", lambda: 65_533)
    (found,) = folder.check_folder(DataFolder(str(tmp_path / ".defer")), str(tmp_path))

    assert found.level is Level.PROBLEM
    assert "and this is uid 65533" in found.words


def test_rows_ahead_of_the_clock_are_a_warning(tmp_path: Path) -> None:
    clock = Clock()
    clock.now_us = to_microseconds(datetime.now(UTC) + timedelta(hours=3))
    store = open_store(tmp_path / "defer.db", clock=clock)
    enqueue(store)
    store.close()
    checks = StoreChecks(DataFolder(str(tmp_path)), is_whole=False)
    list(checks.check_database())
    (found,) = checks.check_clock()

    assert found.level is Level.WARNING
    assert found.words.endswith("the newest execution is stored 3h ahead of it")


def test_what_is_overdue_beside_a_runner_is_a_warning(tmp_path: Path) -> None:
    clock = Clock()
    store = open_store(tmp_path / "defer.db", clock=clock)
    enqueue(store)
    store.close()
    checks = StoreChecks(DataFolder(str(tmp_path)), is_whole=True)
    *_, database = checks.check_database()
    checks.has_runner = True
    (queue,) = checks.check_queue({"compute"})

    assert database.words.endswith(", no damage")
    assert to_microseconds(datetime.now(UTC)) > NOON + 3600 * SECOND
    assert (queue.level, queue.mend is None) == (Level.WARNING, False)
