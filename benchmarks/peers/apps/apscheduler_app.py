"""APScheduler alone, one job a cron, all due in the same second; in memory, so nothing is on disk."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger


async def _fire(count: int) -> list[float]:
    """Return the delay of each job that ran, in milliseconds."""
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=4 + count // 2_000)
    ran: list[float] = []
    all_ran = asyncio.Event()

    async def job() -> None:
        ran.append((time.time() - due.timestamp()) * 1e3)
        if len(ran) == count:
            all_ran.set()

    scheduler = AsyncIOScheduler(timezone=UTC)
    for _ in range(count):
        scheduler.add_job(job, CronTrigger(hour=due.hour, minute=due.minute, second=due.second, timezone=UTC))
    scheduler.start()
    with suppress(TimeoutError):  # what has not run by then was skipped
        await asyncio.wait_for(all_ran.wait(), due.timestamp() + 10.0 - time.time())
    scheduler.shutdown(wait=False)
    return ran


if __name__ == "__main__":
    print(json.dumps({"delays": asyncio.run(_fire(int(sys.argv[1])))}))
