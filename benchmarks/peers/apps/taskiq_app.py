"""taskiq on Redis: streams, which are acknowledged, and its result backend; delayed calls by its list of schedules."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from redis.asyncio import Redis
from taskiq import TaskiqScheduler
from taskiq.schedule_sources import LabelScheduleSource
from taskiq_redis import ListRedisScheduleSource, RedisAsyncResultBackend, RedisStreamBroker

from benchmarks.peers.apps.roles import CRONS, LATER_SECONDS, SERVER, WITH_CRONS, YEARLY, Arguments, main, mark

_CONNECTIONS = 100
RESULTS = f"{SERVER}/1"
broker = RedisStreamBroker(f"{SERVER}/0", max_connection_pool_size=_CONNECTIONS).with_result_backend(
    RedisAsyncResultBackend(RESULTS, max_connection_pool_size=_CONNECTIONS)
)
schedules = ListRedisScheduleSource(f"{SERVER}/0", max_connection_pool_size=_CONNECTIONS)
scheduler = TaskiqScheduler(broker, [LabelScheduleSource(broker), schedules])


async def _noop(number: int = 0) -> None: ...


async def _first_line(called_ns: int) -> None:
    mark(time.time_ns() - called_ns)


async def _child(number: int) -> None:
    await asyncio.sleep(0.2)
    mark(time.time_ns())


async def _parent(count: int) -> None:
    mark(-time.time_ns())
    await asyncio.gather(*[TASKS["child"].kiq(number) for number in range(count)])


TASKS = {
    name: broker.register_task(function, task_name=name)
    for name, function in (("noop", _noop), ("first_line", _first_line), ("child", _child), ("parent", _parent))
}
if WITH_CRONS:
    for number in range(CRONS):
        broker.register_task(_noop, task_name=f"cron_{number}", schedule=[{"cron": YEARLY}])


class Taskiq:
    def __init__(self) -> None:
        self._started = False
        self._results = Redis.from_url(RESULTS)

    async def _start(self) -> None:
        if not self._started:
            await broker.startup()
            self._started = True

    async def prepare(self) -> None:
        await self._start()

    async def call(self, function: str, arguments: Arguments, *, delayed: bool) -> None:
        await self._start()
        if delayed:
            at = datetime.now(UTC) + timedelta(seconds=LATER_SECONDS)
            await TASKS[function].schedule_by_time(schedules, at, *arguments)
        else:
            await TASKS[function].kiq(*arguments)

    async def call_many(self, function: str, calls: Sequence[Arguments], *, delayed: bool) -> None:
        places = asyncio.Semaphore(_CONNECTIONS)  # what finds no free connection waits for one, and times out

        async def call(arguments: Arguments) -> None:
            async with places:
                await self.call(function, arguments, delayed=delayed)

        await asyncio.gather(*[call(arguments) for arguments in calls])

    async def recorded(self) -> int:
        return int(await self._results.dbsize())

    async def work(self) -> None:
        raise NotImplementedError("taskiq has a worker of its own")


if __name__ == "__main__":
    main(Taskiq())
