"""What the acceptance tests put into a store without a runner, what they find there, and a user at a terminal."""

from __future__ import annotations

import os
import pty
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from defer_cli.store.contract import Store
from defer_cli.store.sqlite import open_reader, open_store
from defer_cli.store.sqlite.connection import open_writing
from defer_cli.store.sqlite.migrations import MIGRATIONS, migrate
from tests.acceptance.command import DEADLINE_SECONDS, DEFER, Answer, environment
from tests.store.harness import newest


@contextmanager
def stored(project: Path) -> Iterator[Store]:
    """Open the store of a project as a command does; nobody else has it."""
    folder = project / ".defer"
    folder.mkdir(mode=0o700, exist_ok=True)
    store = open_store(folder / "defer.db")
    try:
        yield store
    finally:
        store.close()


def store_of_schema(project: Path, schema: int) -> sqlite3.Connection:
    """Make the database of a project as an older version left it, and return a connection to it."""
    path = project / ".defer" / "defer.db"
    path.parent.mkdir(mode=0o700)
    connection = open_writing(path)
    migrate(connection, path, steps=MIGRATIONS[:schema])
    return connection


def states(project: Path) -> dict[str, str]:
    """Return the state of each execution, newest first."""
    reader = open_reader(project / ".defer" / "defer.db")
    try:
        return {one.id: str(one.state) for one in newest(reader, limit=10_000)}
    finally:
        reader.close()


def answered(folder: Path, words: list[str], answer: str = "", *, env: Mapping[str, str] | None = None) -> Answer:
    """Run `defer` on a terminal whose user types ``answer``; what is shown there is its ``out``."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*DEFER, *words],
        cwd=folder,
        env=environment({"TERM": "xterm", **(env or {})}),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        os.write(ours, answer.encode())
        shown = b""
        try:
            while data := os.read(ours, 65_536):
                shown += data
        except OSError:  # the other end is closed: how a terminal says that it is over
            pass
        finally:
            os.close(ours)
        return Answer(process.wait(DEADLINE_SECONDS), shown.decode(), "")
