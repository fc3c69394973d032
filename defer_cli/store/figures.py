"""What every store can tell in figures, at the cost of an instant behind any number of executions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from defer_cli.domain.paging import Filters
from defer_cli.domain.states import State


class Failing(Struct, frozen=True):
    """How many executions of a function failed, of how many that ended."""

    function: str
    failed: int
    ended: int


class Activity(Struct, frozen=True):
    """What ended of a function: how many by (hour since 1970, state), and how long runs took by bucket.

    Runs are those that succeeded or failed; those whose time nobody wrote down are left out.
    """

    ended: Mapping[tuple[int, State], int]
    runs: Mapping[int, int]


class Counted(Struct, frozen=True):
    """How many executions were counted; ``is_more``: there are more, or the time for counting was over."""

    count: int
    is_more: bool
    stopped_at: int | None = None
    """The place in the list where time was over: who goes on behind it gets the rest."""


class Figures(Protocol):
    """The part of the reading side that counts. Hours are counted since 1970; ends of 31 days are kept by hour."""

    def outcomes(self, *, from_hour: int) -> dict[tuple[int, State], int]:
        """Return how many executions ended in each hour and state since ``from_hour``, whatever was pruned."""

    def failing(self, *, from_hour: int, limit: int) -> list[Failing]:
        """Return the functions with most failures since ``from_hour``, most first."""

    def activity(self, *, from_hour: int, function: str | None = None) -> dict[str, Activity]:
        """Return what ended since ``from_hour`` of each function, or of one; what had no end is left out."""

    def count(self, filters: Filters, *, most: int, after: int | None = None) -> Counted:
        """Return how many executions ``find`` would list: at once where only states and functions narrow it.

        Others are counted up to ``most``, and for a short time; those behind the place ``after``, if there is one.
        """

    def metadata_keys(self, *, limit: int) -> list[str]:
        """Return the first keys of metadata, in order."""

    def metadata_values(self, key: str, *, prefix: str = "", limit: int) -> list[str]:
        """Return the first values of ``key`` that begin with ``prefix``, in order."""
