"""SAQ on Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from saq import CronJob, Queue

from benchmarks.peers.apps.roles import CRONS, LATER_SECONDS, SERVER, SLOTS, WITH_CRONS, YEARLY, Arguments, main, mark

queue = Queue.from_url(SERVER, max_concurrent_ops=SLOTS)


async def noop(context: dict[str, Any], *, number: int = 0) -> None: ...


async def first_line(context: dict[str, Any], *, number: int) -> None:
    mark(time.time_ns() - number)


async def child(context: dict[str, Any], *, number: int) -> None:
    await asyncio.sleep(0.2)
    mark(time.time_ns())


async def parent(context: dict[str, Any], *, number: int) -> None:
    mark(-time.time_ns())
    await asyncio.gather(*[queue.enqueue("child", number=each) for each in range(number)])


def _cron(number: int) -> Callable[..., Awaitable[None]]:
    async def cron(context: dict[str, Any]) -> None: ...

    cron.__qualname__ = f"cron_{number}"
    return cron


settings = {
    "queue": queue,
    "functions": [noop, first_line, child, parent],
    "concurrency": SLOTS,
    "cron_jobs": [CronJob(_cron(number), cron=YEARLY) for number in range(CRONS)] if WITH_CRONS else [],
}


class Saq:
    async def prepare(self) -> None:
        """Do nothing: Redis makes what is written."""

    async def call(self, function: str, arguments: Arguments, *, delayed: bool) -> None:
        named = {"number": arguments[0]} if arguments else {}
        await queue.enqueue(function, **named, scheduled=int(time.time()) + LATER_SECONDS if delayed else 0)

    async def call_many(self, function: str, calls: Sequence[Arguments], *, delayed: bool) -> None:
        await asyncio.gather(*[self.call(function, arguments, delayed=delayed) for arguments in calls])

    async def recorded(self) -> int:
        return -int(await queue.count("incomplete"))

    async def work(self) -> None:
        raise NotImplementedError("SAQ has a worker of its own")


if __name__ == "__main__":
    main(Saq())
