"""Values as pages write them: moments, spans, numbers, states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from defer_cli.domain.duration import in_words
from defer_cli.domain.execution import rfc3339, to_moment
from defer_cli.domain.size import size_in_words
from defer_cli.domain.states import State
from defer_cli.domain.visible import visible

Moment = datetime | str | int | float


class Status(NamedTuple):
    """How an execution stands, in a word, with the look that goes with it."""

    word: str
    look: str
    """The name of the icon and of the colour."""


_STATUSES: Mapping[str, Status] = {
    State.CREATED: Status("queued", "queued"),
    State.STARTED: Status("running", "running"),
    State.SUCCEED: Status("succeeded", "succeeded"),
    State.FAILED: Status("failed", "failed"),
    State.CANCELLED: Status("cancelled", "ended"),
    State.ABORTING: Status("aborting", "aborting"),
    State.ABORTED: Status("aborted", "ended"),
    State.DISCARDED: Status("discarded", "ended"),
}
STATE_WORDS: Mapping[str, str] = {str(state): status.word for state, status in _STATUSES.items()}
"""What pages call each state."""


def status(execution: Mapping[str, Any], now: datetime | None = None) -> Status:
    """Return how an execution stands: what waits is queued, delayed, or about to be tried again."""
    if execution["state"] == State.CREATED:
        if execution["charged"]:
            return Status("retrying", "retrying")
        if moment(execution["scheduled_at"]) > (now or datetime.now(UTC)):
            return Status("delayed", "delayed")
    return _STATUSES[execution["state"]]


def moment(value: Moment) -> datetime:
    """Return a moment that is given as such, as an RFC 3339 text, or in microseconds since 1970."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, str):
        return datetime.fromisoformat(value).astimezone(UTC)
    return to_moment(int(value))


def iso(value: Moment) -> str:
    """Return a moment as machines read it."""
    return rfc3339(moment(value), timespec="milliseconds")


def utc(value: Moment) -> str:
    """Return a moment as people read it, to the second."""
    return f"{moment(value):%Y-%m-%d %H:%M:%S} UTC"


def clock(value: Moment) -> str:
    """Return the time of day of a moment, to the millisecond."""
    return f"{moment(value):%H:%M:%S.%f}"[:-3]


def span(value: timedelta | float | None) -> str:
    """Return a span, given as such or in microseconds, in at most two units."""
    if value is None:
        return "–"
    given = value if isinstance(value, timedelta) else timedelta(microseconds=value)
    return in_words(max(given, timedelta(0))) if given > timedelta(0) else "0 ms"


def between(start: Moment | None, end: Moment | None) -> timedelta | None:
    """Return the span from one moment to another, None where one is missing."""
    return None if start is None or end is None else moment(end) - moment(start)


def from_now(value: Moment, now: datetime | None = None) -> str:
    """Return how far ahead a moment is, in minutes at the finest: pages are not drawn anew for seconds."""
    ahead = moment(value) - (now or datetime.now(UTC))
    if ahead < timedelta(minutes=1):
        return "within a minute"
    return f"in {in_words(timedelta(minutes=ahead // timedelta(minutes=1)))}"


def number(value: float) -> str:
    """Return a count with its thousands apart."""
    return f"{value:,}"


def percent(part: float, whole: float) -> str:
    """Return a share; only what is whole is called 100 %, and only nothing 0 %."""
    if not whole:
        return "–"
    if part == whole:
        return "100 %"
    return "0 %" if not part else f"{min(max(100 * part / whole, 0.1), 99.9):.1f} %"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def visible_text(text: str) -> str:
    """Return stored text of many lines, each of them harmless."""
    return "\n".join([visible(line.expandtabs(4)) for line in text.split("\n")])


_OUTCOMES: Mapping[str, Status] = {
    "succeed": Status("succeeded", "succeeded"),
    "fail": Status("failed", "failed"),
    "retry": Status("failed, retried", "failed"),
    "interrupt": Status("interrupted", "ended"),
    "loss": Status("lost with its runner", "ended"),
    "started": Status("running", "running"),
}


def outcome(attempt: Mapping[str, Any]) -> Status:
    """Return what an attempt came to."""
    return _OUTCOMES.get(attempt["outcome"], Status(attempt["outcome"], "ended"))


FILTERS: Mapping[str, Callable[..., Any]] = {
    "moment": moment,
    "iso": iso,
    "utc": utc,
    "clock": clock,
    "span": span,
    "from_now": from_now,
    "number": number,
    "size": size_in_words,
    "plural": plural,
    "visible": visible,
    "visible_text": visible_text,
}
"""What templates may pass a value through."""
