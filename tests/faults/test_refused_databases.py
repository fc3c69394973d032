"""A database that cannot be kept safe is refused with the reason and its mend, and stays as it was."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.disks import mounted
from tests.faults.figures import rounds, tell
from tests.process.harness import Project

pytestmark = [pytest.mark.process, pytest.mark.fault]

STORE_EXIT = 5
NOBODY = 65534
PAGE = 4096
SOURCE = "@defer\nasync def one():\n    return 1\n"


def no_database(path: Path) -> None:
    path.write_bytes(b"these are the notes of somebody\n" * 400)


def of_another_program(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")


def of_a_newer_version(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE meta SET value = '999' WHERE key = 'schema_version'")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def cut_in_half(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 // PAGE * PAGE)


def overwritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(PAGE)
        file.write(b"\xa5" * PAGE * 10)


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "is no database": (no_database, "not a database"),
    "is of another program": (of_another_program, "another program"),
    "is of a newer version": (of_a_newer_version, "schema 999"),
    "was cut in half": (cut_in_half, "malformed"),
    "was overwritten in the middle": (overwritten, "malformed"),
}


def contents(folder: Path) -> dict[str, str]:
    """Return what the database is made of; the log and its index are SQLite's while it looks."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("defer.db")}


def used(project: Project) -> None:
    """Have a runner make the database, and die."""
    project.write(one=SOURCE)
    with project.run("--workers", "1") as runner, runner.client() as client:
        client.run("one")
        runner.kill()
    with closing(sqlite3.connect(project.data / "defer.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    project = Project(tmp_path_factory.mktemp("used"))
    used(project)
    return (project.data / "defer.db").read_bytes()


@pytest.mark.parametrize("name", DAMAGE)
def test_a_database_that_cannot_be_kept_safe_is_refused(project: Project, database: bytes, name: str) -> None:
    damage, word = DAMAGE[name]
    project.write(one=SOURCE)
    project.data.mkdir(mode=0o700)
    (project.data / "defer.db").write_bytes(database)
    damage(project.data / "defer.db")
    before = contents(project.data)
    refused = project.burst("--workers", "1")
    trigger = project.command("trigger", "one")
    said, _ = trigger.communicate(timeout=30)

    tell(
        15,
        fault=f"a database that {name}",
        runs=2,
        found=f"exit {refused.process.returncode}, of `defer trigger` {trigger.returncode}; it stays as it was",
    )
    assert (refused.process.returncode, trigger.returncode) == (STORE_EXIT, STORE_EXIT), (refused.output, said)
    for output in (refused.output, said):
        assert word in output
        assert "where:" in output
        assert "mend:" in output
    assert contents(project.data) == before


def test_a_disk_that_can_only_be_read_is_refused(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    with mounted(project.data, megabytes=60):
        used(project)
        before = contents(project.data)
        subprocess.run(["mount", "-o", "remount,ro", project.data], check=True)
        refused = project.burst("--workers", "1")
        after = contents(project.data)
        subprocess.run(["mount", "-o", "remount,rw", project.data], check=True)
        again = project.burst("--workers", "1")
        project.end()

    tell(
        15,
        fault="a disk that can only be read",
        runs=1,
        found=f"exit {refused.process.returncode}, then it works again",
    )
    assert refused.process.returncode == STORE_EXIT, refused.output
    assert "mend:" in refused.output
    assert after == before
    assert again.process.returncode == 0


class Bound(Project):
    """A project whose runners and commands are bound by the permissions of files, as root is not."""

    def _command(self, *arguments: str) -> list[str]:
        powers = "-dac_override,-dac_read_search"
        return ["setpriv", f"--bounding-set={powers}", f"--inh-caps={powers}", *super()._command(*arguments)]


def of_somebody_else(folder: Path) -> None:
    os.chown(folder / "defer.db", NOBODY, NOBODY)


def to_be_read_only(folder: Path) -> None:
    (folder / "defer.db").chmod(0o400)


def in_a_folder_to_be_read_only(folder: Path) -> None:
    folder.chmod(0o500)


def mended(folder: Path) -> None:
    folder.chmod(0o700)
    os.chown(folder / "defer.db", os.getuid(), os.getgid())
    (folder / "defer.db").chmod(0o600)


PERMISSIONS: dict[str, Callable[[Path], None]] = {
    "of another user": of_somebody_else,
    "that may only be read": to_be_read_only,
    "in a folder that may only be read": in_a_folder_to_be_read_only,
}


def test_a_database_that_may_not_be_written_is_refused_until_it_may(tmp_path: Path) -> None:
    project = Bound(tmp_path / "project")
    used(project)
    for name, forbid in PERMISSIONS.items():
        forbid(project.data)
        before = contents(project.data)
        refused = project.burst("--workers", "1")
        after = contents(project.data)
        mended(project.data)
        again = project.burst("--workers", "1")

        code = refused.process.returncode
        tell(15, fault=f"a database {name}", runs=1, found=f"exit {code}, then it works again")
        assert code == STORE_EXIT, refused.output
        assert str(project.data / "defer.db") in refused.output
        assert "writable for the user that runs defer" in refused.output
        assert after == before
        assert again.process.returncode == 0, again.output
    project.end()


def test_a_second_runner_is_refused_and_the_first_goes_on(project: Project) -> None:
    project.write(one=SOURCE)
    with project.run("--workers", "1") as first, first.client() as client:
        seconds = [project.start("--workers", "1") for _ in range(rounds(1, 5))]
        codes = {second.wait() for second in seconds}
        client.run("one")
        assert first.stop() == 0

    found = f"exit {', '.join(map(str, codes))}; the first goes on"
    tell(15, fault="a second runner on one database", runs=len(seconds), found=found)
    assert codes == {STORE_EXIT}
    for second in seconds:
        assert f"pid {first.pid}" in second.output
        assert "mend:" in second.output
