"""Bringing a database to the schema of this version, one numbered step a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from defer_cli.domain.errors import StoreError

APPLICATION_ID = 0x64656672
MIGRATIONS: tuple[str, ...] = tuple(
    Path(__file__).with_name(name).read_text()
    for name in ("schema.sql", *(f"schema_{number}.sql" for number in range(2, 8)))
)
"""Step n makes version n + 1; steps are only ever added."""


def migrate(connection: sqlite3.Connection, path: Path, *, steps: Sequence[str] = MIGRATIONS) -> None:
    """Bring the database to the newest version; refuse one that is not ours, or newer than we are."""
    check_is_ours(connection, path)
    version = schema_version(connection)
    check_is_known(version, path, newest=len(steps))
    for number, step in enumerate(steps[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in _split(step):
                connection.execute(statement)
            connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('schema_version', ?)", (str(number),))
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def schema_version(connection: sqlite3.Connection) -> int:
    """Return the version of the schema, 0 for an empty database."""
    if _is_empty(connection):
        return 0
    row = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    return int(row[0])


def check_is_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Raise ``StoreError`` when the file is a database of something else."""
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID and not _is_empty(connection):
        raise StoreError(
            "the file is a database of another program", where=str(path), mend="choose another data folder: --data DIR"
        )


def check_is_known(version: int, path: Path, *, newest: int = len(MIGRATIONS)) -> None:
    """Raise ``StoreError`` when the schema is newer than this version of defer."""
    if version > newest:
        raise StoreError(
            f"the database has schema {version}, this version of defer knows up to {newest}",
            where=str(path),
            mend="upgrade defer-cli, or use the version that wrote it",
        )


def _is_empty(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT count(*) = 0 FROM sqlite_schema").fetchone()[0])


def _split(script: str) -> Iterator[str]:
    """Yield the statements of a script; ``executescript`` would commit before it begins."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
