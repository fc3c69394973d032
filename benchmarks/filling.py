"""Putting executions into a store without a runner: many at once, as they would come and end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.ids import random_id
from defer_cli.domain.settle import Move, Running
from defer_cli.domain.states import State
from defer_cli.store.contract import Limit, Store

BATCH = 1_000
"""Executions of one transaction."""


def calls(functions: Sequence[str], count: int, at_us: int, *, arguments: bytes = b"[]") -> list[Enqueue]:
    """Return calls of these functions by turns."""
    return [
        Enqueue(random_id(), functions[number % len(functions)], arguments, called_us=at_us) for number in range(count)
    ]


def fill(
    store: Store,
    functions: Sequence[str],
    count: int,
    *,
    known: Mapping[str, Limit] | None = None,
    at_us: int | None = None,
    arguments: bytes = b"[]",
    is_finished: bool = False,
) -> None:
    """Put ``count`` calls on disk, as a runner would that knows what it claims; ``is_finished``: they have run as well.

    ``known`` are its functions, by default these without a limit; ``at_us`` is when they were made and ended, by
    default now.
    """
    at_us = store.now() if at_us is None else at_us
    known = dict.fromkeys(functions, Limit()) if known is None else known
    with store.transaction():
        store.claim(limit=0, runner="bench", functions=known)
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start)
        with store.transaction():
            store.insert(calls(functions, size, at_us, arguments=arguments))
            if is_finished:
                store.apply(succeed(store.claim(limit=size, runner="bench", functions=known).started, at_us))
        if store.checkpoint_is_due():
            store.checkpoint()
    store.checkpoint()


def succeed(started: Sequence[Running], at_us: int) -> list[Move]:
    """Return the moves of attempts that have returned."""
    return [
        Move("succeed", one.seq, one.id, one.attempt, State.STARTED, State.SUCCEED, one.function, at_us, at_us)
        for one in started
    ]
