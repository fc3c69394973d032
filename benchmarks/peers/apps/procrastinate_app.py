"""Procrastinate on PostgreSQL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from procrastinate import App, PsycopgConnector

from benchmarks.peers.apps.roles import CRONS, LATER_SECONDS, SERVER, SLOTS, WITH_CRONS, YEARLY, Arguments, main, mark

app = App(connector=PsycopgConnector(conninfo=SERVER, min_size=1, max_size=20))
_IN = {"seconds": LATER_SECONDS}


async def _noop(number: int = 0) -> None: ...


async def _first_line(number: int) -> None:
    mark(time.time_ns() - number)


async def _child(number: int) -> None:
    await asyncio.sleep(0.2)
    mark(time.time_ns())


async def _parent(number: int) -> None:
    mark(-time.time_ns())
    await TASKS["child"].batch_defer_async(*[{"number": each} for each in range(number)])


async def _cron(timestamp: int) -> None: ...


TASKS = {
    name: app.task(name=name)(function)
    for name, function in (("noop", _noop), ("first_line", _first_line), ("child", _child), ("parent", _parent))
}
if WITH_CRONS:
    for number in range(CRONS):
        app.periodic(cron=YEARLY)(app.task(name=f"cron_{number}")(_cron))


def _named(arguments: Arguments) -> dict[str, int]:
    return {"number": arguments[0]} if arguments else {}


class Procrastinate:
    def __init__(self) -> None:
        self._opened = False

    async def _open(self) -> None:
        if not self._opened:
            await app.open_async()
            self._opened = True

    async def prepare(self) -> None:
        await self._open()
        await app.schema_manager.apply_schema_async()

    async def call(self, function: str, arguments: Arguments, *, delayed: bool) -> None:
        await self._open()
        task = TASKS[function].configure(schedule_in=_IN) if delayed else TASKS[function]
        await task.defer_async(**_named(arguments))

    async def call_many(self, function: str, calls: Sequence[Arguments], *, delayed: bool) -> None:
        await self._open()
        task = TASKS[function].configure(schedule_in=_IN) if delayed else TASKS[function]
        await task.batch_defer_async(*[_named(arguments) for arguments in calls])

    async def recorded(self) -> int:
        await self._open()
        row = await app.connector.execute_query_one_async(
            "SELECT count(*) AS count FROM procrastinate_jobs WHERE status = 'succeeded'"
        )
        return int(row["count"])

    async def work(self) -> None:
        await self._open()
        await app.run_worker_async(concurrency=SLOTS)


if __name__ == "__main__":
    main(Procrastinate())
