"""What happens in a runner, as facts for whoever shows them: a terminal, a log, later an alert."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from defer_cli.domain.settle import Move


@dataclass(frozen=True, slots=True)
class LeftQueue:
    """An execution was cancelled or discarded before it ever ran."""

    function: str
    id: str
    state: str


@dataclass(frozen=True, slots=True)
class Aborting:
    """Somebody has forced a running execution to end; how it does is told when it has."""

    function: str
    id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class WorkerDied:
    """A worker ended unasked; ``running`` attempts were in it."""

    pid: int
    cause: str
    running: int


@dataclass(frozen=True, slots=True)
class Note:
    """Something a person running this should read: a reload, a missed tick, a refused inbox entry."""

    level: str
    message: str
    fields: dict[str, object] = field(default_factory=dict)


Event = LeftQueue | Aborting | WorkerDied | Note


class Listener(Protocol):
    """Whoever shows what happens; called on the loop, after the commit that made it true."""

    def settled(self, moves: Sequence[Move]) -> None:
        """Attempts have ended."""

    def tell(self, event: Event) -> None:
        """Something else has happened."""
