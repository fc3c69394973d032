"""Retention: how long what has finished is kept, what was deleted last, when the next look is due."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from defer_cli.cli.check import counted
from defer_cli.cli.checks.findings import Finding, ok, refused
from defer_cli.cli.output import distance_words
from defer_cli.domain.execution import to_moment
from defer_cli.domain.states import FINAL_STATES

if TYPE_CHECKING:
    from defer_cli.cli.checks.project import Subject


def check_retention(subject: Subject, health: Mapping[str, Any] | None, *, has_runner: bool) -> Iterator[Finding]:
    """Tell the limits; ``health`` is what the store says of itself, None when it does not."""
    for name, error in subject.errors:
        if name == "retention":
            yield refused("retention", error)
            return
    settings = subject.retention
    words = settings.in_words()
    if health is not None:
        finished = sum(states.get(state, 0) for states in health["counts"].values() for state in FINAL_STATES)
        words += f"; {counted(finished, 'finished execution')} kept"
        if settings.most is not None and finished > settings.most:
            words += f", {finished - settings.most:,} over the maximum"
    yield ok("retention", words)
    if settings.is_on and health is not None:
        yield ok("retention", _round_words(health.get("retention"), datetime.now(UTC), has_runner=has_runner))


def _round_words(last: Mapping[str, Any] | None, now: datetime, *, has_runner: bool) -> str:
    coming = (
        "the first look is a minute after a runner starts"
        if not has_runner
        else "the first look is due within a minute"
    )
    if last is None:
        return f"nothing was deleted yet; {coming}"
    began = distance_words(to_moment(last["began_us"]), now=now)
    if last["ended_us"] is None:
        return f"deleting since {began}" if has_runner else f"what was begun {began} goes on when a runner starts"
    deleted = f"{counted(last['executions'], 'execution')} and {counted(last['logs'], 'log')}"
    words = f"the look {began} deleted {deleted}"
    due = to_moment(last["next_us"])
    if not has_runner:
        return f"{words}; the next is a minute after a runner starts"
    return f"{words}; the next is due {distance_words(due, now=now) if due > now else 'within a minute'}"
