"""Files the SQLite engine makes, migrates or refuses."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from defer_cli.domain.errors import StoreError, StoreFull
from defer_cli.store.sqlite import migrations, open_reader, open_store
from defer_cli.store.sqlite.connection import file_system_of, store_error
from tests.store.harness import Clock, call, enqueue, insert, newest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "defer.db"


def test_the_database_is_readable_by_its_owner_only(path: Path) -> None:
    with closing(open_store(path)):
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}

    assert modes == dict.fromkeys(["defer.db", "defer.db-wal", "defer.db-shm"], 0o600)


def test_the_log_is_kept_as_the_owner_needs_it(path: Path) -> None:
    with closing(open_store(path)) as store:
        pragmas = {
            name: store._session.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "wal_autocheckpoint", "auto_vacuum")
        }

    assert pragmas == {"journal_mode": "wal", "synchronous": 1, "wal_autocheckpoint": 0, "auto_vacuum": 2}


def test_the_log_is_grown_once_at_start(path: Path) -> None:
    with closing(open_store(path)) as store:
        log = path.with_name("defer.db-wal")
        before = log.stat().st_size
        insert(store, *[call() for _ in range(1_000)])
        store.checkpoint()

        assert before == log.stat().st_size == 8 * 1024 * 1024


def test_a_log_that_was_grown_over_waiting_commits_keeps_them(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    with closing(open_store(path)) as store:
        id = enqueue(store)
        used = path.with_name("defer.db-wal").read_bytes().rstrip(b"\0")
        (copy / "defer.db").write_bytes(path.read_bytes())
    (copy / "defer.db-wal").write_bytes(used)
    with closing(open_store(copy / "defer.db")) as store:
        assert store.place(id) == ("compute", "created")


def test_a_checkpoint_is_due_after_much_was_written(path: Path) -> None:
    with closing(open_store(path)) as store:
        before = store.checkpoint_is_due()
        insert(store, *[call(arguments=b'"' + b"x" * 1_000_000 + b'"') for _ in range(5)])
        after = store.checkpoint_is_due()
        store.checkpoint()

        assert (before, after, store.checkpoint_is_due()) == (False, True, False)


def test_a_reader_opens_what_no_runner_holds(path: Path) -> None:
    with closing(open_store(path)) as store:
        id = enqueue(store)
    with closing(open_reader(path)) as reader:
        assert reader.get(id) is not None


def test_a_reader_cannot_write(path: Path) -> None:
    store, reader = open_store(path), open_reader(path)
    with closing(store), closing(reader), pytest.raises(StoreError, match="readonly"):
        reader._read("DELETE FROM executions")


def test_a_reader_of_nothing_is_refused(path: Path) -> None:
    with pytest.raises(StoreError):
        open_reader(path)


def test_a_database_of_another_program_is_refused_and_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        open_store(path)

    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["defer.db"]


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database, though long enough to be taken for one" * 100)
    with pytest.raises(StoreError, match="not a database") as refused:
        open_store(path)

    assert refused.value.is_fatal
    assert refused.value.where == str(path)


def test_a_damaged_database_is_refused_when_it_is_checked(path: Path) -> None:
    with closing(open_store(path)) as store:
        insert(store, *[call() for _ in range(2_000)])
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged|malformed") as refused:
        open_store(path, check=True)

    assert refused.value.is_fatal


def test_a_sound_database_passes_the_check(path: Path) -> None:
    with closing(open_store(path)) as store:
        enqueue(store)
        store.quick_check()
    with closing(open_store(path, check=True)) as store:
        assert store.marks() == []


def test_a_newer_schema_is_refused(path: Path) -> None:
    open_store(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
        connection.commit()
    with pytest.raises(StoreError, match="schema 99") as refused:
        open_store(path)
    with pytest.raises(StoreError, match="schema 99"):
        open_reader(path)

    assert refused.value.mend is not None
    assert "upgrade" in refused.value.mend


def test_an_older_schema_is_migrated_and_keeps_what_it_held(path: Path) -> None:
    with closing(open_store(path)) as store:
        enqueue(store)
    steps = (*migrations.MIGRATIONS, "ALTER TABLE executions ADD COLUMN colour TEXT;\nCREATE TABLE later (a);\n")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrations.migrate(connection, path, steps=steps)

        assert migrations.schema_version(connection) == len(steps)
        assert connection.execute("SELECT count(*), max(colour) FROM executions").fetchone() == (1, None)


def test_a_migration_that_fails_leaves_the_database_as_it_was(path: Path) -> None:
    open_store(path).close()
    steps = (*migrations.MIGRATIONS, "CREATE TABLE later (a);\nCREATE TABLE later (a);\n")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            migrations.migrate(connection, path, steps=steps)

        assert migrations.schema_version(connection) == len(migrations.MIGRATIONS)
        assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'later'").fetchone() == (0,)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as refused:
        open_store(tmp_path / "missing" / "defer.db")

    assert refused.value.mend is not None


def test_the_last_stop_is_remembered(path: Path) -> None:
    clock = Clock()
    with closing(open_store(path, clock=clock)) as store:
        never_run = store.stopped_cleanly()
        store.start_runner(name="a", pid=1, version="1")
        running = store.stopped_cleanly()
        store.stop_runner(name="a")

        assert (never_run, running, store.stopped_cleanly()) == (True, False, True)


@pytest.mark.parametrize(
    ("folder", "kind"),
    [("/home/me/app", "ext4"), ("/mnt/share/app", "nfs4"), ("/mnt/my disk", "cifs"), ("/mnt/shared", "ext4")],
)
def test_the_file_system_of_a_folder_is_that_of_its_nearest_mount(tmp_path: Path, folder: str, kind: str) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda / ext4 rw 0 0\nhost:/x /mnt/share nfs4 rw 0 0\n//host/y /mnt/my\\040disk cifs rw 0 0\nbroken\n"
    )

    assert file_system_of(Path(folder), mounts) == kind


def test_a_network_file_system_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("defer_cli.store.sqlite.connection.file_system_of", lambda folder, mounts: "nfs4")
    with pytest.raises(StoreError, match="nfs4"):
        open_store(path)

    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "is_fatal"), [("SQLITE_FULL", False), ("SQLITE_BUSY", False), ("SQLITE_IOERR_FSYNC", True)]
)
def test_an_error_of_sqlite_tells_whether_the_runner_must_stop(name: str, is_fatal: bool) -> None:
    error = sqlite3.OperationalError("what it said")
    error.sqlite_errorname = name
    told = store_error(error)

    assert told.is_fatal is is_fatal
    assert told.mend is not None
    assert isinstance(told, StoreFull) is (name == "SQLITE_FULL")


def test_a_full_disk_refuses_the_transaction_and_nothing_else(path: Path) -> None:
    with closing(open_store(path)) as store:
        enqueue(store)
        pages = store._session.execute("PRAGMA page_count").fetchone()[0]
        store._session.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match="full") as refused:
            insert(store, *[call(arguments=b'"' + b"x" * 10_000 + b'"') for _ in range(10)])
        store._session.execute("PRAGMA max_page_count = 1000000")

        assert not refused.value.is_fatal
        assert enqueue(store)
        assert store._session.counters.count("compute", "created") == 2


@contextmanager
def no_file_grows_beyond(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_log_that_cannot_be_folded_at_the_end_is_told_and_kept(path: Path) -> None:
    store = open_store(path)
    insert(store, *[call() for _ in range(1_000)])
    log = path.with_name("defer.db-wal").read_bytes()
    with no_file_grows_beyond(path.stat().st_size), pytest.raises(StoreError, match="disk I/O error") as failed:
        store.close()
    kept = path.with_name("defer.db-wal").read_bytes()

    assert failed.value.is_fatal
    assert kept == log
    with closing(open_reader(path)) as reader:
        assert len(newest(reader, limit=2_000)) == 1_000


def test_a_store_that_is_abandoned_keeps_its_log(path: Path) -> None:
    store = open_store(path)
    enqueue(store)
    log = path.with_name("defer.db-wal").read_bytes()
    store.abandon()

    assert path.with_name("defer.db-wal").read_bytes() == log


def test_what_an_abandoned_store_had_committed_is_there_at_the_next_start(path: Path) -> None:
    store = open_store(path)
    enqueue(store)
    store.abandon()

    with closing(open_reader(path)) as reader:
        assert len(newest(reader, limit=2)) == 1


def test_a_touch_comes_to_the_file(path: Path) -> None:
    with closing(open_store(path)) as store, closing(sqlite3.connect(path)) as other:
        versions = []
        for _ in range(3):
            versions += other.execute("PRAGMA data_version").fetchone()
            with store.transaction():
                store.touch()

    assert len(set(versions)) == 3
