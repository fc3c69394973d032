"""Takes in the calls that were left in the inbox while no runner was alive."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from defer_cli.domain.enqueue import Enqueue, Refused, Stored
from defer_cli.domain.errors import DeferError
from defer_cli.engine.events import Listener, Note
from defer_cli.link.inbox import UnreadableEntry, list_entries, read_entry, refuse_entry, remove_entry
from defer_cli.link.project import DataFolder
from defer_cli.store.contract import Store

_log = logging.getLogger(__name__)
_A_TURN = 1_000
Insert = Callable[[Sequence[Enqueue]], Awaitable[list[Stored | Refused]]]


class InboxImport:
    """Imports files in the order of their names; what cannot be taken is set aside, told and counted."""

    def __init__(self, folder: DataFolder, insert: Insert, listener: Listener) -> None:
        self._folder = folder
        self._insert = insert
        self._listener = listener
        self._turn = asyncio.Lock()
        self.refused = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits to be imported."""
        return not self._turn.locked() and not list_entries(self._folder)

    async def run(self) -> None:
        """Import all that is there now; a file is removed once its calls are on disk."""
        async with self._turn:
            try:
                for name in list_entries(self._folder):
                    await self._take(name)
            except DeferError as error:  # the store refuses: the files stay, the next turn tries again
                _log.error("the inbox could not be imported: %s", error)

    async def _take(self, name: str) -> None:
        try:
            calls = read_entry(self._folder, name)
        except UnreadableEntry as error:
            self._set_aside(name, str(error), None, 1)
            return
        refused: list[tuple[Enqueue, str]] = []
        for start in range(0, len(calls), _A_TURN):
            part = calls[start : start + _A_TURN]
            results = await self._insert(part)
            refused += [(call, r.problem) for call, r in zip(part, results, strict=True) if isinstance(r, Refused)]
        if refused:
            reasons = "\n".join(f"{call.id} {call.function}: {why}" for call, why in refused)
            self._set_aside(name, reasons, [call for call, _ in refused], len(refused))
        else:
            remove_entry(self._folder, name)

    def _set_aside(self, name: str, reason: str, calls: list[Enqueue] | None, count: int) -> None:
        path = refuse_entry(self._folder, name, reason, calls=calls)
        self.refused += count
        self._listener.tell(
            Note("error", "calls in the inbox were refused", {"count": count, "reason": reason, "kept_in": path})
        )


def insert_into(store: Store) -> Insert:
    """Return a way to insert for a command that owns the store itself."""

    async def insert(calls: Sequence[Enqueue]) -> list[Stored | Refused]:
        with store.transaction():
            return store.insert(calls)

    return insert
