"""Opening the database file, safely or not at all, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from defer_cli.domain.disk import CHECK_DISK, FREE_SPACE, MAKE_WRITABLE, file_error
from defer_cli.domain.errors import StoreError, StoreFull
from defer_cli.store.sqlite.log_sync import LogSync

_WAL_BYTES = 8 * 1024 * 1024
_BUSY_SECONDS = 5.0
_OWNER_ONLY = 0o600
_NETWORK_FILE_SYSTEMS = frozenset(
    """
    9p afs auristorfs beegfs ceph cifs coda glusterfs gpfs lustre ncpfs nfs nfs4 orangefs pvfs2 smb2 smb3 smbfs
    blobfuse blobfuse2 ceph-fuse curlftpfs davfs gcsfuse goofys gvfsd-fuse juicefs mfs rclone s3fs s3ql seaweedfs
    smbnetfs sshfs
    """.split()
)
"""By name: of those in user space (``fuse.…``) many are on a local disk (``ntfs-3g``, ``mergerfs``, ``gocryptfs``)."""

_FATAL = frozenset({"CORRUPT", "NOTADB", "IOERR", "PROTOCOL"})
_MENDS = {
    "BUSY": "end the program that holds the database, or wait for it",
    "LOCKED": "end the program that holds the database, or wait for it",
    "FULL": FREE_SPACE,
    "READONLY": MAKE_WRITABLE,
    "PERM": MAKE_WRITABLE,
    "CANTOPEN": "check that its folder exists and is writable",
    "CORRUPT": "restore a backup, or move the file away to begin anew",
    "NOTADB": "restore a backup, or move the file away to begin anew",
    "IOERR": CHECK_DISK,
}


def open_writing(path: Path) -> sqlite3.Connection:
    """Open a connection that writes; an empty database is prepared, nothing else is changed."""
    _refuse_network(path)
    _require_writable(path)
    is_new = not path.exists() or path.stat().st_size == 0
    if is_new:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, _OWNER_ONLY))
    connection = _connect(path, "rw")
    if is_new:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    return connection


def keep_log(connection: sqlite3.Connection, path: Path, *, is_brief: bool = False) -> LogSync:
    """Write ahead, and make the log as long as it will need to be; return what waits for the disk at each commit.

    SQLite itself is told not to wait but where it folds the log (``NORMAL``): it would within COMMIT, where nobody
    could do anything meanwhile.

    A commit that overwrites is far cheaper than one that makes the file longer. SQLite reads the log up to
    the first frame whose checksum is wrong, so the zeros mean nothing to it. For a commit or two (``is_brief``)
    they would cost more than they save.
    """
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA cache_size = -32768")
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # makes the log, when there is none
    log_path = path.with_name(path.name + "-wal")
    if not is_brief:
        with log_path.open("ab") as log:
            missing = _WAL_BYTES - log.tell()
            if missing > 0:
                log.write(bytes(missing))
                log.flush()
                os.fsync(log.fileno())
    return LogSync(log_path)


def open_reading(path: Path) -> sqlite3.Connection:
    """Open a connection that cannot write."""
    connection = _connect(path, "ro")
    connection.execute("PRAGMA query_only = 1")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


@contextmanager
def reporting(where: Path | str | None = None) -> Iterator[None]:
    """Raise errors of SQLite and of files as ``StoreError``."""
    try:
        yield
    except sqlite3.Error as error:
        raise store_error(error, where) from error
    except OSError as error:
        raise file_error(error, error.strerror or str(error), where=str(where or error.filename)) from error


def store_error(error: sqlite3.Error, where: Path | str | None = None) -> StoreError:
    """Return what an error of SQLite means to a person, and whether the runner must stop."""
    name = getattr(error, "sqlite_errorname", "SQLITE_ERROR").removeprefix("SQLITE_").partition("_")[0]
    kind = StoreFull if name == "FULL" else StoreError
    return kind(
        f"the database failed: {error}",
        where=None if where is None else str(where),
        mend=_MENDS.get(name),
        is_fatal=name in _FATAL,
    )


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(
        uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
    )


def _refuse_network(path: Path, mounts: Path = Path("/proc/mounts")) -> None:
    kind = file_system_of(path.parent.resolve(), mounts)
    if is_network_file_system(kind):
        raise StoreError(
            f"the database would lie on a network file system ({kind}), whose locks and syncs cannot be trusted",
            where=str(path),
            mend="put the data folder on a local disk: --data DIR",
        )


def _require_writable(path: Path) -> None:
    """Raise before SQLite makes a log beside a file it may only read: one that it could not write later either."""
    for file in (path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))):
        if file.exists() and not os.access(file, os.R_OK | os.W_OK):
            raise StoreError("the database's file may not be read and written", where=str(file), mend=MAKE_WRITABLE)


def is_network_file_system(kind: str | None) -> bool:
    """Return whether a kind of file system, as the table of mounts names it, lies on another machine."""
    return kind is not None and kind.removeprefix("fuse.") in _NETWORK_FILE_SYSTEMS


def file_system_of(folder: Path, mounts: Path) -> str | None:
    """Return the kind of file system ``folder`` lies on, as the table of mounts tells it."""
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    best: tuple[int, str] | None = None
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(fields[1].encode("latin-1", "surrogateescape").decode("unicode_escape"))
        if folder.is_relative_to(point) and (best is None or len(point.parts) >= best[0]):
            best = (len(point.parts), fields[2])
    return None if best is None else best[1]
