"""A log as it is read: piece by piece, each once, in short looks that hold nothing open in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from defer_cli.domain.states import FINAL_STATES
from defer_cli.web.backend import Backend

Part = tuple[int, int, list[tuple[int, str, str]]]
"""Attempt, number, and the lines that came together: microseconds, stream, text."""
_MOST_BYTES = 128 * 1024


class Reading:
    """How far a log was read, and how its execution (or the attempt) stood then."""

    def __init__(
        self, backend: Backend, id: str, attempt: int | None = None, *, seen: Mapping[int, int] | None = None
    ) -> None:
        self.id = id if attempt is None else f"{id}.{attempt}"
        self.function = ""
        self.state = ""
        self.seen = dict(seen or {})
        """The number of the last part by attempt."""
        self._backend = backend
        self._asked: dict[str, Any] = {"id": id, "attempt": attempt, "most_bytes": _MOST_BYTES}

    @property
    def has_ended(self) -> bool:
        """Whether what is read moves no more; the last lines may still be on their way."""
        return self.state in FINAL_STATES

    async def news(self) -> Sequence[Part]:
        """Return what is new, a piece of it at most; nothing: there is no more now. Raises ``ExecutionNotFound``."""
        told = await self._backend.ask("log_after", seen=list(self.seen.items()), **self._asked)
        self.function, self.state = told["function"], told["state"]
        parts: list[Part] = told["parts"]
        self.seen.update((attempt, number) for attempt, number, _ in parts)
        return parts
