"""What the address of the list asks for, as filters; what is wrong in it is told in words, and left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec

from defer_cli.console.words import STATE_WORDS
from defer_cli.domain.duration import parse_duration
from defer_cli.domain.errors import SettingError
from defer_cli.domain.execution import ErrorCode
from defer_cli.domain.paging import Filters, Interval
from defer_cli.domain.states import State
from defer_cli.domain.visible import visible

LIST = "/executions"
METADATA = "metadata."
KEY = "metadata_key"
"""The metadata whose values are shown, to be chosen from; it narrows nothing."""

STATUS_WORDS: Mapping[str, str] = {**STATE_WORDS, State.CREATED: "queued or delayed"}
ERROR_WORDS: Mapping[str, str] = {
    ErrorCode.RAISED: "raised an error",
    ErrorCode.MAX_DURATION: "took too long",
    ErrorCode.OUT_OF_MEMORY: "out of memory",
    ErrorCode.INTERNAL: "a fault of defer",
}
ORIGIN_WORDS: Mapping[str, str] = {"call": "a call", "tick": "a cron's tick", "rerun": "a rerun"}
CHOICES: Mapping[str, Mapping[str, str]] = {"status": STATUS_WORDS, "error": ERROR_WORDS, "came_from": ORIGIN_WORDS}
"""The filters whose values are known, with a word for each."""
MOMENTS: Mapping[str, str] = {
    "scheduled_from": "scheduled from",
    "scheduled_to": "scheduled until",
    "executed_from": "executed from",
    "executed_to": "executed until",
}
_TEXTS: Mapping[str, str] = {"parent": "called by", "executed_by": "run by"}
_NAMES = (*CHOICES, "function", *MOMENTS, *_TEXTS)
_OTHERS = frozenset({"after", "before", "live", "seen", "focus", "done", "n", KEY})
"""Names of the address that are no filters."""
_LONGEST_SHOWN = 60
_MOST = 100
"""Each filter in force is told with the address of the list without it: twice as many, four times the page."""

Pair = tuple[str, str]


class Chip(NamedTuple):
    """One filter that is in force: its words, and the address of the list without it."""

    name: str
    value: str
    without: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The filters of an address; ``pairs`` ask for the same again."""

    pairs: Sequence[Pair]
    filters: Filters
    moments: Mapping[str, datetime] = field(default_factory=dict)
    problems: Sequence[str] = ()

    def all(self, name: str) -> list[str]:
        """Return the values of a filter."""
        return [value for key, value in self.pairs if key == name]

    def one(self, name: str) -> str:
        """Return the value of a filter that has one at most."""
        return next(iter(self.all(name)), "")

    @property
    def metadata(self) -> list[Pair]:
        """The metadata that is asked for: keys and values."""
        return [(key.removeprefix(METADATA), value) for key, value in self.pairs if key.startswith(METADATA)]

    @property
    def chips(self) -> list[Chip]:
        """What is in force, one by one."""
        return [
            Chip(*_told(name, value), address([other for other in self.pairs if other != (name, value)]))
            for name, value in self.pairs
        ]

    @property
    def fixed_pairs(self) -> list[Pair]:
        """The pairs with every span from now as the moment it means now."""
        return [(name, self.moments[name].isoformat() if name in self.moments else value) for name, value in self.pairs]

    def data(self) -> dict[str, Any]:
        """Return the filters as they are asked for inside."""
        data: dict[str, Any] = msgspec.to_builtins(self.filters)
        return data


def address(pairs: Iterable[Pair]) -> str:
    """Return the address of the list with these filters."""
    query = urlencode(list(pairs))
    return f"{LIST}?{query}" if query else LIST


def read_filters(items: Iterable[Pair], now: datetime) -> Asked:
    """Return what an address or a form asks for; fields that are empty, as forms send them, ask for nothing."""
    found: dict[Pair, None] = {}
    moments: dict[str, datetime] = {}
    problems: list[str] = []
    for name, given in items:
        value = given if name.startswith(METADATA) else given.strip()
        if name in _OTHERS or not value:
            continue
        try:
            if name in MOMENTS:
                moments[name] = moment_of(value, name, now)
            else:
                _check(name, value)
        except SettingError as error:
            problems.append(f"{_sentence(error.problem)} {_sentence(error.mend or '')}")
            continue
        if name in MOMENTS or name in _TEXTS:
            found = {pair: None for pair in found if pair[0] != name}
        if len(found) == _MOST:
            problems.append(f"There are more than {_MOST} filters.")
            break
        found[name, value] = None
    try:
        filters = _filters(list(found), moments)
    except SettingError as error:
        problems.append(f"{_sentence(f'{error.where}: {error.problem}')} {_sentence(error.mend or '')}")
        filters = Filters()
    return Asked(pairs=tuple(found), filters=filters, moments=moments, problems=problems)


def moment_of(text: str, name: str, now: datetime) -> datetime:
    """Return the moment that a text names: "2h ago", "in 5 min", "now", a day or a time, in UTC where it names no zone.

    A day begins with its first instant, or as the end of a span ends with its last. Raises ``SettingError``.
    """
    words = text.lower()
    is_ahead = words.startswith("in ")
    try:
        if words == "now":
            return now
        span = parse_duration(words.removeprefix("in ").removesuffix("ago").strip(), where=name)
        return now + span if is_ahead else now - span
    except (SettingError, OverflowError):
        pass
    try:
        day = date.fromisoformat(text)
        return datetime.combine(day, time.max if name.endswith("_to") else time.min, tzinfo=UTC)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.utcoffset() is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        mend = "write 2h ago, in 30 min, 2026-11-26 or 2026-11-26 08:00"
        raise SettingError(f"{_shown(text)} is no time", where=name, mend=mend) from None


def _check(name: str, value: str) -> None:
    """Raise ``SettingError`` for a filter that there is not, or a value that it cannot have."""
    known = CHOICES.get(name)
    if known is not None:
        if value not in known:
            noun = name.replace("came_from", "origin").replace("error", "error code")
            raise SettingError(f"there is no {noun} {_shown(value)}", mend=_nearest(value, list(known)))
    elif name not in ("function", *_TEXTS) and (not name.startswith(METADATA) or name == METADATA):
        raise SettingError(f"there is no filter {_shown(name)}", mend=_nearest(name, [*_NAMES, "metadata.KEY"]))


def _nearest(word: str, words: Sequence[str]) -> str:
    near = get_close_matches(word[:_LONGEST_SHOWN], words, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"use {', '.join(words)}"


def _filters(pairs: Sequence[Pair], moments: Mapping[str, datetime]) -> Filters:
    def of(name: str) -> list[str]:
        return [value for key, value in pairs if key == name]

    metadata: dict[str, list[str]] = {}
    for name, value in pairs:
        if name.startswith(METADATA):
            metadata.setdefault(name.removeprefix(METADATA), []).append(value)
    return Filters(
        states=of("status"),
        functions=of("function"),
        error_codes=of("error"),
        came_from=of("came_from"),
        scheduled_at=_span(moments, "scheduled"),
        started_at=_span(moments, "executed"),
        metadata=metadata,
        parent=next(iter(of("parent")), None),
        executed_by=next(iter(of("executed_by")), None),
    )


def _span(moments: Mapping[str, datetime], name: str) -> Interval:
    start, end = moments.get(f"{name}_from"), moments.get(f"{name}_to")
    if start is not None and end is not None and start > end:
        raise SettingError("it begins after it ends", where=name, mend="a longer time ago is earlier")
    return Interval(from_=start, to=end)


def _told(name: str, value: str) -> Pair:
    """Return a filter in words: its name, its value."""
    if name in CHOICES:
        word = CHOICES[name][value]
        return name.replace("_", " "), f"{value} {word}" if name == "error" else word
    if name == "function":
        return name, f"{value}()"
    if name.startswith(METADATA):
        return name.removeprefix(METADATA), value
    return {**MOMENTS, **_TEXTS}[name], value


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}{'' if words.endswith('?') else '.'}"


def _shown(text: str) -> str:
    return f"“{visible(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + '…')}”"
