"""The execution this code runs in: what a function may ask about itself, and the calls that belong to it."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterator, Mapping
from contextvars import ContextVar
from datetime import datetime
from hashlib import blake2b
from itertools import count
from typing import Any, Protocol

from msgspec import Struct

from defer_cli.domain.errors import ArgumentError, DeferError
from defer_cli.domain.execution import to_moment
from defer_cli.domain.ids import call_hash, child_id, keyed_id

_SHORT = 64


class ExecutionContext(Struct, frozen=True, kw_only=True):
    """The running execution, as its own function sees it."""

    id: str
    """The same over all attempts: the idempotency key to pass on."""
    function: str
    attempt: int
    deadline: datetime
    """When ``max_duration`` is over, in UTC."""
    metadata: Mapping[str, str]


class Handle:
    """What a call gives back; a function that returns one as its result is told so."""

    __slots__ = ()


class OwnedCall(Protocol):
    """A call made inside a function, as its scope sees it; awaiting it never raises what became of it."""

    is_heard: bool

    def __await__(self) -> Generator[Any, None, None]: ...

    def hear(self) -> DeferError | None:
        """Return a new exception for a call that was not stored; it counts as heard."""
        ...


class AttemptScope:
    """One attempt: the calls made in it, by context, and the ids they get."""

    __slots__ = (
        "_counts",
        "_deadline_us",
        "_marked",
        "_metadata",
        "attempt",
        "function",
        "id",
        "pending",
        "pid",
        "refused",
        "seq",
        "trace",
    )

    def __init__(
        self,
        *,
        id: str,
        function: str,
        attempt: int,
        deadline_us: int,
        metadata: bytes | None = None,
        marked: Mapping[bytes, int] | None = None,
        seq: int = 0,
        trace: str | None = None,
    ) -> None:
        self.id = id
        self.function = function
        self.attempt = attempt
        self.seq = seq
        self.trace = trace
        self.pid = os.getpid()
        self.pending: set[OwnedCall] = set()
        self.refused: list[OwnedCall] = []
        self._deadline_us = deadline_us
        self._metadata = metadata
        self._marked = marked
        self._counts: dict[tuple[str, bytes], Iterator[int]] = {}

    @property
    def has_calls(self) -> bool:
        """Whether ``settled`` has anything to wait for or to raise."""
        return bool(self.pending or self.refused)

    def child(self, function: str, hashed: bytes, key: str | None) -> tuple[str, bytes]:
        """Return the id and the call hash of a call made here; equal calls are told apart by their order."""
        if key is not None:  # the key alone names the execution: no parent, no count in its id
            return keyed_id(function, key), call_hash(function, b"key:" + key.encode(), 0)
        told_by = hashed if len(hashed) <= _SHORT else blake2b(hashed, digest_size=16).digest()
        nth = next(self._counts.setdefault((function, told_by), count()))
        call = call_hash(function, hashed, nth)
        marked = self._marked.get(call, 0) if self._marked else 0
        return child_id(self.id, call, marked), call

    async def settled(self) -> None:
        """Wait until all calls made here are on disk; raise a refusal that nobody has heard."""
        while self.pending:
            for call in self.pending.copy():
                await call
        unheard = [call for call in self.refused if not call.is_heard]
        self.refused.clear()
        first: DeferError | None = None
        for call in unheard:
            error = call.hear()
            first = first or error
        if first is not None:
            if len(unheard) > 1:
                first.add_note(f"{len(unheard):,} calls made in {self.function}() were refused, this is the first")
            raise first

    def refuse_call_as_result(self, value: object) -> None:
        """Raise ``ArgumentError`` when a function's result is the handle of a call."""
        if isinstance(value, Handle):
            raise ArgumentError(
                f"{self.function}() returned {value!r}, which is not JSON",
                mend="return the id of the call, `return compute(x).id`, "
                "or its result, `return await await_result(compute)(x)`",
            )

    def describe(self) -> ExecutionContext:
        """Return what the function may know of its own execution."""
        return ExecutionContext(
            id=self.id,
            function=self.function,
            attempt=self.attempt,
            deadline=to_moment(self._deadline_us),
            metadata=json.loads(self._metadata) if self._metadata else {},
        )


current_scope: ContextVar[AttemptScope | None] = ContextVar("defer_scope", default=None)


def scope_here() -> AttemptScope | None:
    """Return the attempt this code runs in; a process forked inside a function has left it."""
    scope = current_scope.get()
    return scope if scope is not None and scope.pid == os.getpid() else None


def current_execution() -> ExecutionContext:
    """Return the running execution; raise ``DeferError`` outside a background function."""
    scope = scope_here()
    if scope is None:
        raise DeferError(
            "current_execution() was called outside a background function",
            mend="call it in the function itself, in its tasks or through asyncio.to_thread: bare threads have left it",
        )
    return scope.describe()
