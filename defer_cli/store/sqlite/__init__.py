"""The store in one SQLite file, owned by one runner."""
from defer_cli.store.sqlite.store import SqliteStore, open_store
