"""Executions staged in a store: in states and with texts that no function needs to make."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from defer_cli.domain.execution import ExecutionError
from defer_cli.domain.log_chunk import LogChunk
from defer_cli.domain.settle import Move, Running
from defer_cli.domain.states import State
from defer_cli.store.contract import Limit, Store
from tests.store.harness import apply, call, insert, move

FAR_US = 4_000_000_000_000_000
"""In the year 2096: no runner starts it."""


def put(store: Store, function: str, *args: Any, kwargs: dict[str, Any] | None = None, **fields: Any) -> str:
    """Store one call; return its id."""
    content: Any = {"args": args, "kwargs": kwargs} if kwargs else args
    one = call(function, arguments=json.dumps(content).encode(), **fields)
    insert(store, one)
    return one.id


def begin(store: Store, function: str, *, runner: str = "vm-1") -> Running:
    """Start the next execution of a function."""
    with store.transaction():
        (running,) = store.claim(limit=1, runner=runner, functions={function: Limit()}).started
    return running


def end(store: Store, running: Running, name: str, *, seconds: float = 1, **fields: Any) -> None:
    """Write the move ``name`` that ends an attempt ``seconds`` after its start."""
    targets = {"succeed": State.SUCCEED, "fail": State.FAILED, "retry": State.CREATED, "interrupt": State.CREATED}
    written: Move = move(name, running, targets[name], at_us=running.started_us + int(seconds * 1_000_000), **fields)
    assert apply(store, written) == [True]


def error(message: str = "no way", **fields: Any) -> ExecutionError:
    """Return what a function raised."""
    known = {"code": "ER0003", "type": "ValueError", "location": "src/defer/broken.py:3"} | fields
    return ExecutionError(message=message, **known)


def printed(store: Store, running: Running, *lines: tuple[str, str], part: int = 0, dropped: int = 0) -> None:
    """Write a part of the log of an attempt: (stream, text) a line, 1 ms apart."""
    told = [[running.started_us + 1_000 * number, *line] for number, line in enumerate(lines)]
    with store.transaction():
        store.append_logs([LogChunk(running.seq, running.attempt, part, msgspec.msgpack.encode(told), dropped)])
