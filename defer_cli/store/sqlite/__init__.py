"""The store in one SQLite file, owned by one runner."""

from __future__ import annotations

from defer_cli.store.sqlite.reader import SqliteReader, open_reader
from defer_cli.store.sqlite.store import SqliteStore, open_store

__all__ = ["SqliteReader", "SqliteStore", "open_reader", "open_store"]
