"""`defer backup` and `defer restore`: a copy while it runs, and back to it."""

from __future__ import annotations

import json
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from defer_cli.store.contract import Mark
from defer_cli.store.sqlite.copying import RESTORED
from defer_cli.store.sqlite.reader import open_reader
from tests.acceptance.command import defer, environment, living, write_function
from tests.acceptance.staging import put
from tests.acceptance.storing import answered, states, stored
from tests.store.harness import call, insert

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]


def stored_call(project: Path) -> str:
    """Have a call in the store, and return its id."""
    with stored(project) as store:
        return put(store, "greet", "Ada")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_backup_holds_what_was_stored_and_a_restore_brings_it_back(project: Path, tmp_path: Path) -> None:
    kept = defer(project, "trigger", "greet", "Ada").out.strip()
    backup = tmp_path / "one.db"
    made = defer(project, "backup", str(backup))
    later = defer(project, "trigger", "greet", "Bob").out.strip()
    back = defer(project, "restore", str(backup), "--yes")

    assert (made.code, made.out) == (0, f"{backup}\n")
    assert (back.code, back.out) == (0, f"{project / '.defer' / 'defer.db'}\n")
    assert states(project) == {kept: "created"}
    (aside,) = (project / ".defer").glob("before-restore-*")
    reader = open_reader(aside / "defer.db")
    assert {kept, later} == {id for id in (kept, later) if reader.get(id)}
    reader.close()


def test_a_backup_is_one_file_for_its_owner(project: Path, tmp_path: Path) -> None:
    stored_call(project)
    folder = tmp_path / "backups"
    folder.mkdir()
    told = json.loads(defer(project, "backup", str(folder / "one.db"), "--json").out)

    assert names(folder) == {"one.db"}
    assert told["bytes"] == (folder / "one.db").stat().st_size
    assert stat.S_IMODE((folder / "one.db").stat().st_mode) == 0o600


def test_a_runner_goes_on_while_it_is_copied(project: Path, tmp_path: Path) -> None:
    backup = tmp_path / "one.db"
    with stored(project) as store:
        for _ in range(20):
            insert(store, *(call("greet", arguments=b'[["Ada"],{}]') for _ in range(1_000)))
    with living(project, "run", ready='message="runner ready"') as runner:
        copies = [defer(project, "backup", str(backup), "--force") for _ in range(3)]
        waited = defer(project, "trigger", "greet", "Ada", "--wait", "--timeout", "60")
        assert runner.process.poll() is None

    assert [copy.code for copy in copies] == [0, 0, 0]
    assert waited.code == 0
    reader = open_reader(backup)
    assert sum(reader.counts().values()) == 20_000
    reader.close()


def test_calls_that_wait_in_the_inbox_are_in_the_backup(project: Path, tmp_path: Path) -> None:
    write_function(project, "double", "@defer\nasync def double(number: int) -> int:\n    return 2 * number\n")
    script = project / "src" / "app.py"
    script.write_text("from defer.double import double\ndouble(4)\n")
    subprocess.run([sys.executable, str(script)], env=environment(), check=True, timeout=60)
    defer(project, "trigger", "greet", "Ada")
    backup = tmp_path / "one.db"
    assert defer(project, "backup", str(backup)).code == 0

    reader = open_reader(backup)
    assert {function for function, _ in reader.counts()} == {"double", "greet"}
    reader.close()


def test_no_tick_from_before_the_restore_is_owed(project: Path, tmp_path: Path) -> None:
    with stored(project) as store, store.transaction():
        store.set_marks([Mark("hourly", "0 * * * *", 1_700_000_000_000_000)])
    backup = tmp_path / "one.db"
    defer(project, "backup", str(backup))
    assert defer(project, "restore", str(backup), "--yes").code == 0

    with stored(project) as store:
        ((_, _, mark_us),) = [(mark.function, mark.canonical, mark.mark_us) for mark in store.marks()]
        now_us = store.now()
    reader = open_reader(project / ".defer" / "defer.db")
    (gap,) = reader.gaps("hourly", limit=5)
    reader.close()
    assert now_us - mark_us < 60_000_000
    assert (gap.after_us, gap.until_us, gap.reason) == (1_700_000_000_000_000, mark_us, RESTORED)


def test_nothing_is_restored_over_a_runner(project: Path, tmp_path: Path) -> None:
    stored_call(project)
    backup = tmp_path / "one.db"
    defer(project, "backup", str(backup))
    with living(project, "run", ready='message="runner ready"'):
        answer = defer(project, "restore", str(backup), "--yes")

    assert answer.code == 5
    assert "a runner is alive" in answer.err


def test_a_damaged_database_is_replaced_and_kept(project: Path, tmp_path: Path) -> None:
    id = stored_call(project)
    backup = tmp_path / "one.db"
    defer(project, "backup", str(backup))
    (project / ".defer" / "defer.db").write_bytes(b"not a database" * 1_000)
    answer = defer(project, "restore", str(backup), "--yes")

    assert answer.code == 0
    assert states(project) == {id: "created"}
    (aside,) = (project / ".defer").glob("before-restore-*")
    assert (aside / "defer.db").read_bytes().startswith(b"not a database")


@pytest.mark.parametrize("damage", ["text", "cut", "empty", "other"])
def test_what_is_no_backup_changes_nothing(damage: str, project: Path, tmp_path: Path) -> None:
    id = stored_call(project)
    backup = tmp_path / "one.db"
    defer(project, "backup", str(backup))
    if damage == "other":
        backup.unlink()
        other = sqlite3.connect(backup)
        other.execute("CREATE TABLE notes (text)")
        other.close()
    else:
        backup.write_bytes({"text": b"x" * 9_000, "cut": backup.read_bytes()[:20_000], "empty": b""}[damage])
    answer = defer(project, "restore", str(backup), "--yes")

    assert answer.code == 5
    assert "name a file that `defer backup` wrote" in answer.err
    assert states(project) == {id: "created"}
    assert not list((project / ".defer").glob("before-restore-*"))


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("backup", "{there}"), 2, "it is there already"),
        (("backup", "{folder}"), 2, "it is there already"),
        (("backup", "{folder}/none/one.db"), 2, "there is no folder"),
        (("restore", "{folder}/none.db"), 4, "there is no such file"),
        (("restore", "{database}", "--yes"), 2, "this is the database itself"),
        (("restore", "{backup}"), 2, "add --yes"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_is_asked_wrongly_is_said_before_anything_is_changed(
    words: tuple[str, ...], code: int, told: str, project: Path, tmp_path: Path
) -> None:
    id = stored_call(project)
    there, backup = tmp_path / "there", tmp_path / "one.db"
    there.write_text("mine")
    defer(project, "backup", str(backup))
    places = {"there": there, "folder": tmp_path, "database": project / ".defer" / "defer.db", "backup": backup}
    answer = defer(project, *(word.format(**places) for word in words))

    assert answer.code == code
    assert told in answer.err
    assert there.read_text() == "mine"
    assert states(project) == {id: "created"}


def test_where_nothing_was_stored_there_is_nothing_to_copy(project: Path, tmp_path: Path) -> None:
    assert defer(project, "backup", str(tmp_path / "one.db")).code == 4
    assert not (tmp_path / "one.db").exists()


def test_on_a_terminal_a_restore_asks_once(project: Path, tmp_path: Path) -> None:
    stored_call(project)
    backup = tmp_path / "one.db"
    defer(project, "backup", str(backup))
    refused = answered(project, ["restore", str(backup)], "n\n")
    wanted = answered(project, ["restore", str(backup)], "y\n")

    assert (refused.code, wanted.code) == (1, 0)
    assert "by what was there at" in refused.out
    assert len(list((project / ".defer").glob("before-restore-*"))) == 1
