"""DBOS on PostgreSQL: a workflow a function, on a queue that its workers poll."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg
import sqlalchemy
from dbos import DBOS, DBOSClient

from benchmarks.peers.apps.roles import CRONS, LATER_SECONDS, SERVER, SLOTS, WITH_CRONS, YEARLY, Arguments, main, mark

QUEUE = "bench"
_POLL_SECONDS = float(os.environ.get("BENCH_POLL", "1.0"))
_URL = SERVER.replace("postgresql://", "postgresql+psycopg://")


async def noop(number: int = 0) -> None: ...


async def first_line(number: int) -> None:
    mark(time.time_ns() - number)


async def child(number: int) -> None:
    await asyncio.sleep(0.2)
    mark(time.time_ns())


async def parent(number: int) -> None:
    mark(-time.time_ns())
    for each in range(number):
        await DBOS.enqueue_workflow_async(QUEUE, FUNCTIONS["child"], each)


async def cron(scheduled: datetime, context: Any) -> None: ...


FUNCTIONS = {
    function.__name__: DBOS.workflow(name=function.__name__)(function) for function in (noop, first_line, child, parent)
}
CRON = DBOS.workflow(name="cron")(cron)


async def _launch() -> None:
    DBOS(
        config={
            "name": "bench",
            "system_database_url": SERVER,
            "application_version": "1",
            "executor_id": str(os.getpid()),
            "log_level": "WARNING",
            "sys_db_pool_size": 20,
        }
    )
    DBOS.launch()
    await DBOS.register_queue_async(QUEUE, worker_concurrency=SLOTS, polling_interval_sec=_POLL_SECONDS)


class Dbos:
    def __init__(self) -> None:
        self._client: Any = None
        self._watch: Any = None

    def _open(self) -> Any:
        if self._client is None:
            self._client = DBOSClient(system_database_url=SERVER)
        return self._client

    def _options(self, function: str, *, delayed: bool) -> dict[str, Any]:
        options: dict[str, Any] = {"workflow_name": function, "queue_name": QUEUE}
        return options | ({"delay_seconds": float(LATER_SECONDS)} if delayed else {})

    async def prepare(self) -> None:
        await _launch()
        DBOS.destroy()

    async def call(self, function: str, arguments: Arguments, *, delayed: bool) -> None:
        self._open().enqueue(self._options(function, delayed=delayed), *arguments)

    async def call_many(self, function: str, calls: Sequence[Arguments], *, delayed: bool) -> None:
        client = self._open()
        with sqlalchemy.create_engine(_URL).begin() as connection:
            for arguments in calls:
                client.enqueue_in_transaction(connection, self._options(function, delayed=delayed), *arguments)

    async def recorded(self) -> int:
        if self._watch is None:
            self._watch = psycopg.connect(SERVER, autocommit=True)
        found = self._watch.execute("SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'")
        return int(found.fetchone()[0])

    async def work(self) -> None:
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        await _launch()
        if WITH_CRONS:
            await DBOS.apply_schedules_async(
                [{"schedule_name": f"cron_{n}", "workflow_fn": CRON, "schedule": YEARLY} for n in range(CRONS)]
            )
        await stopped.wait()
        DBOS.destroy()


if __name__ == "__main__":
    main(Dbos())
