"""The alarm: wakes what has something to do, also after the clock was set. apscheduler lives only here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from defer_cli.domain.errors import StoreError

NextUs = Callable[[], int | None]
Action = Callable[[], Awaitable[None] | None]

WATCH_SECONDS = 1.5
"""How long a clock that was set may go unnoticed; above the usual second, so that it costs no wake of its own."""
_STEP_SECONDS = 0.1
_STOP_SECONDS = 5.0
_log = logging.getLogger(__name__)


class _Job:
    """One thing to be woken; to apscheduler it is a trigger, which says when and never raises.

    apscheduler plans by the machine's clock and we by the injected one: only spans pass between them.
    """

    def __init__(self, name: str, next_us: NextUs, action: Action, at_most_us: int, clock: Callable[[], int]) -> None:
        self.name = name
        self.action = action
        self.planned_us = 0
        self.began_us = 0
        self.is_running = False
        self.is_hurried = False
        self.is_late = False
        self._next_us = next_us
        self._at_most_us = at_most_us
        self._clock = clock

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """Return the planned time as apscheduler counts; always ahead of ``now`` once the job has been planned.

        What is due already is being run: it is planned anew at its end.
        """
        now_us = self._clock()
        due_us = self.due_us()
        limit_us = now_us + self._at_most_us
        is_ahead = due_us is not None and (due_us > now_us or previous is None)
        self.planned_us = max(now_us, min(due_us, limit_us)) if is_ahead and due_us is not None else limit_us
        return now + timedelta(microseconds=self.planned_us - now_us)

    def due_us(self) -> int | None:
        """Return when there is something to do, None when nothing is known."""
        try:
            return self._next_us()
        except Exception:
            _log.exception("when %s is due could not be told; it is looked at again", self.name)
            return None


class Alarm:
    """Wakes each job when it is due and at the latest every ``at_most_seconds``, one run at a time.

    All methods belong to the event loop. ``clock`` counts microseconds since 1970. ``on_step`` is told by how
    many seconds the clock was set, ahead or back; every job is woken then.
    """

    def __init__(self, clock: Callable[[], int], *, on_step: Callable[[float], None] | None = None) -> None:
        self._clock = clock
        self._on_step = on_step
        self._jobs: dict[str, _Job] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._scheduler: Any = None
        self._watch_timer: asyncio.TimerHandle | None = None
        self._offsets = (0.0, 0.0)

    def add(self, name: str, next_us: NextUs, action: Action, *, at_most_seconds: float = 1.0) -> None:
        """Wake ``action`` at ``next_us()`` (None: nothing is known), and at the latest after ``at_most_seconds``."""
        self._jobs[name] = _Job(name, next_us, action, round(at_most_seconds * 1_000_000), self._clock)
        if self._scheduler is not None:
            self._schedule(self._jobs[name])

    def hurry(self, name: str) -> None:
        """Look at ``next_us`` again: something may be due earlier than planned. Cheap when it is not."""
        job = self._jobs[name]
        if self._scheduler is None:
            return
        if job.is_running:
            job.is_hurried = True
            return
        due_us = job.due_us()
        if due_us is not None and due_us < job.planned_us:
            self._plan(job, due_us)

    @staticmethod
    def load() -> None:
        """Import apscheduler, on any thread: it looks through all that is installed, for 50 ms or longer."""
        import apscheduler.executors.asyncio
        import apscheduler.schedulers.asyncio  # noqa: F401

    def start(self) -> None:
        """Wake jobs from now on, by the running loop; what was not loaded before holds it up."""
        from apscheduler.events import (
            EVENT_JOB_ERROR,
            EVENT_JOB_EXECUTED,
            EVENT_JOB_MAX_INSTANCES,
            EVENT_JOB_MISSED,
            EVENT_JOB_SUBMITTED,
        )
        from apscheduler.schedulers.asyncio import AsyncIOScheduler
        from apscheduler.triggers.base import BaseTrigger

        BaseTrigger.register(_Job)
        logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
        logging.getLogger("apscheduler.executors").setLevel(logging.CRITICAL)  # its events tell us, once
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        self._scheduler.add_listener(self._begun, EVENT_JOB_SUBMITTED)
        self._scheduler.add_listener(self._ended, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
        self._scheduler.add_listener(self._hear, EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        for job in self._jobs.values():
            self._schedule(job)
        self._scheduler.start()
        self._offsets = self._compare()
        self._watch_again()

    async def stop(self) -> None:
        """Wake nothing more; runs on their way are cancelled and waited for."""
        if self._scheduler is None:
            return
        if self._watch_timer is not None:
            self._watch_timer.cancel()
        scheduler, self._scheduler = self._scheduler, None
        scheduler.shutdown(wait=False)
        await asyncio.sleep(0)  # apscheduler shuts down in the loop's next turn
        if self._running:
            await asyncio.wait(self._running, timeout=_STOP_SECONDS)

    def _schedule(self, job: _Job) -> None:
        async def run() -> None:
            await self._run(job)

        self._scheduler.add_job(run, job, id=job.name, name=job.name, replace_existing=True)

    async def _run(self, job: _Job) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        job.began_us = self._clock()
        self._watch()
        try:
            woken = job.action()
            if woken is not None:
                await woken
        finally:
            self._running.discard(task)

    def _begun(self, event: Any) -> None:
        self._jobs[event.job_id].is_running = True

    def _ended(self, event: Any) -> None:
        """Plan what has become known in a run; what it left undone waits for the next wake, or it would spin.

        Not in the run itself: apscheduler refuses a job that it still counts as running.
        """
        job = self._jobs[event.job_id]
        is_hurried = job.is_hurried
        job.is_running = job.is_hurried = job.is_late = False
        due_us = job.due_us()
        if self._scheduler is None or due_us is None or due_us >= job.planned_us:
            return
        if due_us > job.began_us or is_hurried:
            self._plan(job, due_us)

    def _plan(self, job: _Job, due_us: int) -> None:
        now_us = self._clock()
        job.planned_us = max(due_us, now_us)
        wait = timedelta(microseconds=job.planned_us - now_us)
        self._scheduler.modify_job(job.name, next_run_time=datetime.now(UTC) + wait)

    # The clocks.

    def _compare(self) -> tuple[float, float]:
        """Return how far the injected clock and the machine's are ahead of the one that is never set."""
        steady = asyncio.get_running_loop().time()
        return self._clock() / 1_000_000 - steady, time.time() - steady

    def _watch_again(self) -> None:
        if self._watch_timer is not None:
            self._watch_timer.cancel()
        if self._scheduler is not None:
            self._watch_timer = asyncio.get_running_loop().call_later(WATCH_SECONDS, self._watch)

    def _watch(self) -> None:
        """Wake everything when a clock was set: apscheduler alone would wait for its old time to come back.

        Every run looks; the timer is for when nothing runs any more.
        """
        offsets = self._compare()
        ours, machine = (new - old for new, old in zip(offsets, self._offsets, strict=True))
        self._offsets = offsets
        self._watch_again()
        if abs(ours) < _STEP_SECONDS and abs(machine) < _STEP_SECONDS:
            return
        for job in self._jobs.values():
            if job.is_running:
                job.is_hurried = True
            else:
                self._plan(job, 0)
        if self._on_step is not None and abs(ours) >= _STEP_SECONDS:
            try:
                self._on_step(ours)
            except Exception:
                _log.exception("what follows from a clock that was set has failed")

    def _hear(self, event: Any) -> None:
        """Log what apscheduler tells of: a job that raised, was missed, or was still running at its next time."""
        job = self._jobs[event.job_id]
        error = getattr(event, "exception", None)
        if error is not None:
            is_told_at_the_end = isinstance(error, StoreError) and error.is_fatal
            if not isinstance(error, asyncio.CancelledError) and not is_told_at_the_end:
                _log.error("%s failed and is tried again: %s", job.name, error, exc_info=error)
        elif not hasattr(event, "scheduled_run_times"):
            _log.error("%s was missed", job.name)
        elif not job.is_late:
            job.is_late = True
            _log.warning("%s is still running at its next time", job.name)
