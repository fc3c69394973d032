"""A cron as it waits for its next tick, and what one transaction writes of many of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from defer_cli.domain.cron import Cron
from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.ids import tick_id
from defer_cli.domain.ticks import Owed
from defer_cli.store.contract import Gap, Mark, Store, Tick

_NO_ARGUMENTS = b"[]"


class Plan(Struct):
    """One cron: its last tick considered, and the first after it."""

    function: str
    cron: Cron
    why_not: str | None
    mark_us: int
    due_us: int | None
    is_waiting: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.function, self.cron.canonical


class Write(Struct, frozen=True):
    """What one transaction changes; it was decided while ``paused`` held."""

    paused: Mapping[str, int]
    ticks: list[Tick]
    marks: list[Mark]
    gaps: list[Gap]
    skips: list[Gap]
    keep: list[tuple[str, str]] | None = None

    def __call__(self, store: Store) -> bool:
        """Write it, marks first, for a tick only moves its mark ahead; False: a pause or a resume came before it."""
        if store.paused() != self.paused:
            return False
        if self.marks:
            store.set_marks(self.marks)
        if self.ticks:
            store.fire(self.ticks)
        if self.gaps:
            store.record_gaps(self.gaps)
        if self.skips:
            store.lengthen_gaps(self.skips)
        if self.keep is not None:
            store.forget_marks(self.keep)
        return True


def ticks_owed(owed: Iterable[tuple[Plan, Owed]], now_us: int) -> list[Tick]:
    """Return the ticks to run, each with the execution it makes."""
    return [
        Tick(
            plan.function,
            plan.cron.canonical,
            tick_us,
            Enqueue(
                tick_id(plan.function, tick_us),
                plan.function,
                _NO_ARGUMENTS,
                now_us,
                scheduled_us=tick_us,
                came_from="tick",
            ),
        )
        for plan, debt in owed
        if (tick_us := debt.tick_us) is not None
    ]


def gaps_owed(owed: Iterable[tuple[Plan, Owed]]) -> list[Gap]:
    """Return what was missed, to be recorded."""
    return [
        Gap(*plan.key, span.after_us, span.until_us, span.reason)
        for plan, debt in owed
        if (span := debt.missed) is not None
    ]


def skips_owed(owed: Iterable[tuple[Plan, Owed]]) -> list[Gap]:
    """Return what was skipped in a pause, to be recorded."""
    return [
        Gap(*plan.key, span.after_us, span.until_us, span.reason)
        for plan, debt in owed
        if (span := debt.skipped) is not None
    ]
