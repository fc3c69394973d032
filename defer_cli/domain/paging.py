"""Pages of a list, newest first, and what may be left out of it: the words of a caller, checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, TypeVar

from msgspec import Struct

from defer_cli.domain.call_options import MOST_METADATA
from defer_cli.domain.errors import SettingError
from defer_cli.domain.states import State

T = TypeVar("T")

USUAL_SIZE = 50
LARGEST_SIZE = 500
MOST_CHOICES = 1_000
CAME_FROM = ("call", "tick", "rerun")
_CURSOR = re.compile(r"c([0-9a-f]{1,15})", re.ASCII)


class Page(Struct, frozen=True, kw_only=True):
    """Which part of a list: the ``first`` N after a cursor, or the ``last`` N before one; 50 by default, at most 500.

    Both count in the order of the list, newest first. Raises ``SettingError``.
    """

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None

    def __post_init__(self) -> None:
        _check_size(self.first, "first")
        _check_size(self.last, "last")
        if self.first is not None and self.last is not None:
            raise SettingError("first and last are both given", where="page", mend="give one of them")
        for name in ("after", "before"):
            cursor = getattr(self, name)
            if cursor is not None:
                position_of(cursor, where=f"page.{name}")

    @property
    def size(self) -> int:
        """How many items it holds at most."""
        return self.first or self.last or USUAL_SIZE

    @property
    def is_backward(self) -> bool:
        """Whether it is counted from the end: ``last`` was given, or ``before`` alone."""
        return self.last is not None or (self.first is None and self.after is None and self.before is not None)


class PageInfo(Struct, frozen=True, kw_only=True):
    """Whether there is more on either side, and the cursors to go there; cursors are None on an empty list."""

    has_next_page: bool
    has_prev_page: bool
    start_cursor: str | None = None
    end_cursor: str | None = None


class Listing(Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list, newest first.

    It may hold fewer than were asked for while there is more: a search that takes too long stops there, and the
    cursors go on from where it stopped.
    """

    items: list[T]
    page_info: PageInfo

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A span of time, both ends included; None leaves an end open. Aware datetimes. Raises ``SettingError``."""

    from_: datetime | None = None
    to: datetime | None = None

    def __post_init__(self) -> None:
        for name in ("from_", "to"):
            moment = getattr(self, name)
            if moment is None:
                continue
            if not isinstance(moment, datetime) or moment.utcoffset() is None:
                raise SettingError(
                    f"{name} is {moment!r}", where=name, mend="use an aware datetime, e.g. datetime.now(UTC)"
                )
            object.__setattr__(self, name, moment.astimezone(UTC))

    def __contains__(self, moment: datetime) -> bool:
        return (self.from_ is None or moment >= self.from_) and (self.to is None or moment <= self.to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a list is narrowed to: several values of one filter are alternatives, several filters must all hold.

    An empty filter narrows nothing. ``metadata`` maps a key to the values it may have; several keys must all hold.
    ``executed_by`` is a runner's name, ``parent`` an execution's id. Raises ``SettingError``.
    """

    states: Sequence[str] = ()
    functions: Sequence[str] = ()
    error_codes: Sequence[str] = ()
    scheduled_at: Interval = field(default_factory=Interval)
    started_at: Interval = field(default_factory=Interval)
    metadata: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)
    executed_by: str | None = None
    came_from: Sequence[str] = ()
    parent: str | None = None

    def __post_init__(self) -> None:
        _check_choices(self.states, "states", tuple(map(str, State)))
        _check_choices(self.functions, "functions")
        _check_choices(self.error_codes, "error_codes")
        _check_choices(self.came_from, "came_from", CAME_FROM)
        for name in ("scheduled_at", "started_at"):
            if not isinstance(getattr(self, name), Interval):
                raise SettingError(f"{name} is no interval", where=name, mend=f"write {name}=Interval(from_=…, to=…)")
        if not isinstance(self.metadata, Mapping) or len(self.metadata) > MOST_METADATA:
            raise SettingError(
                "metadata is no mapping of at most 25 keys", where="metadata", mend='write metadata={"user": ["12"]}'
            )
        for key, values in self.metadata.items():
            _check_choices(values, f"metadata.{key}")
        for name in ("executed_by", "parent"):
            if not isinstance(getattr(self, name), str | None):
                raise SettingError(f"{name} is {getattr(self, name)!r}", where=name, mend="use a str")


def cursor_at(position: int) -> str:
    """Return the cursor of a position in the list."""
    return f"c{position:x}"


def position_of(cursor: object, *, where: str) -> int:
    """Return the position a cursor stands for; raise ``SettingError`` naming ``where``."""
    match = _CURSOR.fullmatch(cursor) if isinstance(cursor, str) else None
    if match is None:
        shown = repr(cursor)[:60]
        raise SettingError(f"{shown} is no cursor", where=where, mend="pass the end_cursor or start_cursor of a page")
    return int(match.group(1), 16)


def _check_size(size: object, name: str) -> None:
    if size is None:
        return
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= LARGEST_SIZE:
        raise SettingError(f"{name} is {size!r}", where=f"page.{name}", mend=f"use 1 to {LARGEST_SIZE}")


def _check_choices(values: object, name: str, allowed: Sequence[str] = ()) -> None:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise SettingError(f"{name} is {values!r}", where=name, mend=f'use a list: {name}=["…"]')
    if len(values) > MOST_CHOICES:
        raise SettingError(f"{name} has {len(values):,} values", where=name, mend=f"use at most {MOST_CHOICES:,}")
    for value in values:
        if not isinstance(value, str):
            raise SettingError(f"{name} holds {value!r}", where=name, mend="use texts")
        if allowed and value not in allowed:
            raise SettingError(f"{name} holds {value!r}", where=name, mend=f"use {', '.join(allowed)}")
