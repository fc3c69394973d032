"""PgQueuer on PostgreSQL, by asyncpg."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import asyncpg
from pgqueuer import PgQueuer, Queries

from benchmarks.peers.apps.roles import CRONS, LATER_SECONDS, SERVER, SLOTS, WITH_CRONS, YEARLY, Arguments, main, mark

_LATER = timedelta(seconds=LATER_SECONDS)


def _payload(arguments: Arguments) -> bytes | None:
    return str(arguments[0]).encode() if arguments else None


async def _enqueue(queries: Any, function: str, calls: Sequence[Arguments], after: timedelta | None) -> None:
    count = len(calls)
    payloads = [_payload(arguments) for arguments in calls]
    await queries.enqueue([function] * count, payloads, [0] * count, [after] * count)


def _register(pgq: Any, queries: Any) -> None:
    async def noop(job: Any) -> None: ...

    async def first_line(job: Any) -> None:
        mark(time.time_ns() - int(job.payload))

    async def child(job: Any) -> None:
        await asyncio.sleep(0.2)
        mark(time.time_ns())

    async def parent(job: Any) -> None:
        mark(-time.time_ns())
        await _enqueue(queries, "child", [(number,) for number in range(int(job.payload))], None)

    async def cron(schedule: Any) -> None: ...

    for function in (noop, first_line, child, parent):
        pgq.entrypoint(function.__name__)(function)
    if WITH_CRONS:
        for number in range(CRONS):
            pgq.schedule(f"cron_{number}", YEARLY)(cron)


class Pgqueuer:
    def __init__(self) -> None:
        self._queries: Any = None
        self._connection: Any = None

    async def _open(self) -> Any:
        if self._queries is None:
            self._connection = await asyncpg.connect(SERVER)
            self._queries = Queries.from_asyncpg_connection(self._connection)
        return self._queries

    async def prepare(self) -> None:
        await (await self._open()).install()

    async def call(self, function: str, arguments: Arguments, *, delayed: bool) -> None:
        queries = await self._open()
        await queries.enqueue(function, _payload(arguments), execute_after=_LATER if delayed else None)

    async def call_many(self, function: str, calls: Sequence[Arguments], *, delayed: bool) -> None:
        await _enqueue(await self._open(), function, calls, _LATER if delayed else None)

    async def recorded(self) -> int:
        await self._open()
        return int(
            await self._connection.fetchval(
                "SELECT count(*) FROM pgqueuer_log WHERE status = 'successful'::text::pgqueuer_status"
            )
        )

    async def work(self) -> None:
        pool = await asyncpg.create_pool(SERVER, min_size=2, max_size=4)
        pgq = PgQueuer.from_asyncpg_pool(pool)
        _register(pgq, await self._open())
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, pgq.shutdown.set)
        await pgq.run(batch_size=SLOTS, max_concurrent_tasks=None)


if __name__ == "__main__":
    main(Pgqueuer())
