"""A call on its way to the store, as it travels and as it is inserted."""

from __future__ import annotations

from msgspec import Struct


class Enqueue(Struct, array_like=True, gc=False):
    """One call: made by its caller with its id, so that sending it twice makes one execution.

    Moments are microseconds since 1970; ``scheduled_us`` and ``discard_us`` are what was asked for.
    """

    id: str
    function: str
    arguments: bytes
    called_us: int
    scheduled_us: int | None = None
    discard_us: int | None = None
    metadata: dict[str, str] | None = None
    key: str | None = None
    parent: str | None = None
    call_hash: bytes | None = None
    came_from: str = "call"
    rerun_of: str | None = None
    trace: str | None = None
    """Of the caller (``domain/traces.py``); it says nothing about which call this is."""


class Stored(Struct, array_like=True, tag="stored", gc=False):
    """What became of an accepted call: ``is_new``, or the execution that already had its id."""

    id: str
    is_new: bool
    state: str
    attempt: int
    created_us: int
    scheduled_us: int
    updated_us: int


class Refused(Struct, array_like=True, tag="refused", gc=False):
    """Why a call was not accepted; nothing of it was stored."""

    id: str
    problem: str
    mend: str | None = None
