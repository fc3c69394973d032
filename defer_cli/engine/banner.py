"""What a runner says of itself when it is ready, and who hears it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from defer_cli.domain.function import FunctionSpec, Problem
from defer_cli.engine.events import Listener


class Banner(Struct, frozen=True, kw_only=True):
    """What a runner says when it is ready."""

    version: str
    store: Path
    workers: int
    slots: int
    functions: int
    problems: int
    next_cron: tuple[str, int] | None
    pid: int
    url: str | None = None
    """Of the console and the API; None: neither is served."""


class RunnerListener(Listener, Protocol):
    """Shows what a runner does."""

    def ready(self, banner: Banner) -> None:
        """It is up."""

    def functions(self, functions: Mapping[str, FunctionSpec]) -> None:
        """These are loaded from now on."""

    def problems(self, problems: Sequence[Problem]) -> None:
        """The folder's rule is broken, or something in it is worth a warning."""
