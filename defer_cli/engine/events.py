"""What happens in a runner, as facts for whoever shows them: a terminal, a log, later an alert."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from defer_cli.domain.settle import Move


class LeftQueue(Struct, frozen=True):
    """An execution was cancelled or discarded before it ever ran."""

    function: str
    id: str
    state: str


class Started(Struct, frozen=True):
    """A worker has got an attempt; told only where the log level is debug."""

    function: str
    id: str
    attempt: int
    pid: int


class Aborting(Struct, frozen=True):
    """Somebody has forced a running execution to end; how it does is told when it has."""

    function: str
    id: str
    attempt: int


class WorkerDied(Struct, frozen=True):
    """A worker ended unasked; ``running`` attempts were in it."""

    pid: int
    cause: str
    running: int


class Reloaded(Struct, frozen=True):
    """Files were saved, and the functions loaded anew; ``outcome`` says in words which, and which were not."""

    changed: str
    outcome: str
    functions: int
    seconds: float


class Logged(Struct, frozen=True):
    """What a part of the runner, or a library below it, has to say in words of its own."""

    level: str
    text: str
    logger: str | None = None
    error: str | None = None


class Note(Struct, frozen=True):
    """Something a person running this should read: a missed tick, a refused inbox entry.

    Messages and names of fields are fixed, and documented in docs/logs.md; what varies is in the values.
    """

    level: str
    message: str
    fields: dict[str, object] = {}


Event = LeftQueue | Started | Aborting | WorkerDied | Reloaded | Logged | Note


class Listener(Protocol):
    """Whoever shows what happens; called on the loop, after the commit that made it true."""

    def settled(self, moves: Sequence[Move]) -> None:
        """Attempts have ended."""

    def tell(self, event: Event) -> None:
        """Something else has happened."""
