"""Huey on SQLite: plain functions, run by processes, or by greenlets where they wait."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from importlib import import_module

if os.environ.get("BENCH_GREENLETS") == "1":
    from gevent import monkey

    monkey.patch_all()

from huey import SqliteHuey, crontab

from benchmarks.peers.apps.roles import CRONS, LATER_SECONDS, SERVER, SLOTS, WITH_CRONS, Arguments, main, mark

huey = SqliteHuey(
    "bench",
    filename=f"{SERVER}/huey.db",
    fsync=os.environ.get("BENCH_FSYNC", "1") == "1",
    store_none=True,
    timeout=60,
)


def _noop(number: int = 0) -> None: ...


def _first_line(called_ns: int) -> None:
    mark(time.time_ns() - called_ns)


def _child(number: int) -> None:
    time.sleep(0.2)
    mark(time.time_ns())


def _parent(count: int) -> None:
    mark(-time.time_ns())
    for number in range(count):
        TASKS["child"](number)


TASKS = {
    name: huey.task(name=name)(function)
    for name, function in (("noop", _noop), ("first_line", _first_line), ("child", _child), ("parent", _parent))
}
if WITH_CRONS:
    for number in range(CRONS):
        huey.periodic_task(crontab(minute="0", hour="0", day="1", month="1"), name=f"cron_{number}")(_noop)


class Huey:
    async def prepare(self) -> None:
        """Do nothing: the file was made when Huey was."""

    async def call(self, function: str, arguments: Arguments, *, delayed: bool) -> None:
        if delayed:
            TASKS[function].schedule(args=arguments, delay=LATER_SECONDS)
        else:
            TASKS[function](*arguments)

    async def call_many(self, function: str, calls: Sequence[Arguments], *, delayed: bool) -> None:
        for arguments in calls:
            await self.call(function, arguments, delayed=delayed)

    async def recorded(self) -> int:
        return int(huey.result_count())

    async def work(self) -> None:
        """Run greenlets, which the program of Huey does not patch the standard library for."""
        huey.create_consumer(
            workers=SLOTS, worker_type="greenlet", initial_delay=0.1, max_delay=0.5, periodic=False
        ).run()


if __name__ == "__main__":
    # Huey calls a task by its module, and in the consumer that is not __main__.
    main(import_module("benchmarks.peers.apps.huey_app").Huey())
