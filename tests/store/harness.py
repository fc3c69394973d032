"""Short words for the tests of the stores: calls, claims, moves, and a clock that is set by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from defer_cli.domain.enqueue import Enqueue, Refused, Stored
from defer_cli.domain.execution import Execution, ExecutionError
from defer_cli.domain.ids import encode_id
from defer_cli.domain.paging import Filters
from defer_cli.domain.settle import Move, Running
from defer_cli.domain.states import State
from defer_cli.store.contract import Claim, Ending, Limit, Reader, Store
from defer_cli.store.sqlite import open_reader, open_store

NOON = 1_767_268_800_000_000
SECOND = 1_000_000
ERROR = ExecutionError(code="ER0003", type="ValueError", message="no", traceback="Traceback …", location="a.py:3")

_numbers = itertools.count(1)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_us = NOON

    def __call__(self) -> int:
        return self.now_us

    def forward(self, seconds: float) -> None:
        self.now_us += int(seconds * SECOND)


class Engine(Protocol):
    """One kind of store, on one database."""

    def open(self, clock: Callable[[], int]) -> Store: ...

    def read(self) -> Reader: ...


class SqliteEngine:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "defer.db"

    def open(self, clock: Callable[[], int]) -> Store:
        return open_store(self.path, clock=clock)

    def read(self) -> Reader:
        return open_reader(self.path)


ENGINES: Mapping[str, Callable[[Path], Engine]] = {"sqlite": SqliteEngine}


def call(function: str = "compute", *, arguments: bytes = b"[]", id: str | None = None, **fields: Any) -> Enqueue:
    return Enqueue(id or encode_id(next(_numbers)), function, arguments, NOON, **fields)


def insert(store: Store, *calls: Enqueue) -> list[Stored | Refused]:
    with store.transaction():
        return store.insert(calls)


def enqueue(store: Store, function: str = "compute", **fields: Any) -> str:
    """Store one call; return its id."""
    (stored,) = insert(store, call(function, **fields))
    assert isinstance(stored, Stored), stored
    return stored.id


_LIMITS: dict[tuple[tuple[str, Limit], ...], dict[str, Limit]] = {}


def limits(*functions: str, **limited: Limit | int) -> Mapping[str, Limit]:
    """Return the functions to claim; the same object for the same limits, as the runner does."""
    wanted = dict.fromkeys(functions or (() if limited else ("compute",)), Limit())
    wanted |= {name: limit if isinstance(limit, Limit) else Limit(limit) for name, limit in limited.items()}
    return _LIMITS.setdefault(tuple(sorted(wanted.items(), key=lambda item: item[0])), wanted)


def claim(store: Store, functions: Mapping[str, Limit] | None = None, *, limit: int = 10, isolated: int = 0) -> Claim:
    with store.transaction():
        return store.claim(limit=limit, isolated=isolated, runner="a", functions=functions or limits())


def start(
    store: Store, functions: Mapping[str, Limit] | None = None, *, limit: int = 10, isolated: int = 0
) -> list[Running]:
    return claim(store, functions, limit=limit, isolated=isolated).started


def ids(items: Sequence[Any]) -> list[str]:
    return [item.id for item in items]


def apply(store: Store, *moves: Move) -> list[bool]:
    with store.transaction():
        return store.apply(moves)


def move(name: str, running: Running, target: State, *, source: State = State.STARTED, **fields: Any) -> Move:
    fields = dict[str, Any](at_us=NOON, started_us=running.started_us, charged=running.charged) | fields
    return Move(name, running.seq, running.id, running.attempt, source, target, running.function, **fields)


def succeed(running: Running, **fields: Any) -> Move:
    return move("succeed", running, State.SUCCEED, **fields)


def fail(running: Running, **fields: Any) -> Move:
    return move("fail", running, State.FAILED, error=ERROR, **fields)


def retry(running: Running, *, scheduled_us: int = NOON + SECOND, **fields: Any) -> Move:
    charged = running.charged + 1
    fields = dict[str, Any](error=ERROR, is_delayed=True, charged=charged) | fields
    return move("retry", running, State.CREATED, scheduled_us=scheduled_us, **fields)


def interrupt(running: Running, **fields: Any) -> Move:
    return move("interrupt", running, State.CREATED, **fields)


def aborted(running: Running, **fields: Any) -> Move:
    return move("aborted", running, State.ABORTED, source=State.ABORTING, **fields)


def cancel(store: Store, id: str) -> Ending | None:
    with store.transaction():
        return store.cancel(id)


def abort(store: Store, id: str) -> Running | None:
    with store.transaction():
        return store.abort(id)


def reschedule(store: Store, id: str, scheduled_us: int) -> bool:
    with store.transaction():
        return store.reschedule(id, scheduled_us)


class _UndoneError(Exception):
    pass


@contextmanager
def undone(block: AbstractContextManager[None]) -> Iterator[None]:
    """Make ``block`` (a transaction, a savepoint) fail at its end."""
    with suppress(_UndoneError), block:
        yield
        raise _UndoneError


def state(reader: Reader, id: str) -> State:
    found = reader.get(id)
    assert found is not None
    return found.state


def newest(reader: Reader, *, limit: int, **filters: Any) -> list[Execution]:
    """Return executions, newest first, however many searches that takes."""
    items: list[tuple[int, Execution]] = []
    after: int | None = None
    while True:
        found = reader.find(Filters(**filters), limit=limit - len(items), after=after)
        items += found.items
        after = found.stopped_at
        if after is None or len(items) == limit:
            return [execution for _, execution in items]
