"""How a runner is just now: its workers and their slots, its writer, its database on the disk."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

from defer_cli.engine.crons import Crons
from defer_cli.engine.measures import Measures, Tally
from defer_cli.engine.retention import Retention
from defer_cli.store.writer import Writer
from defer_cli.workers.pool import Pool


class Vitals:
    """Looks at the parts when it is asked; nothing is kept, and nothing waits for the store."""

    def __init__(
        self, runner: str, database: str, pool: Pool, writer: Writer, crons: Crons, measures: Measures, *, slots: int
    ) -> None:
        self.runner = runner
        self.started_at = time.time()
        self._slots = slots
        self._database = database
        self._pool = pool
        self._writer = writer
        self._crons = crons
        self._measures = measures
        self.alerts: Callable[[], Mapping[str, int]] = lambda: {"sent": 0, "retried": 0, "given_up": 0}
        """Says what has become of messages of alerts since the runner began."""

        self.retention: Retention | None = None
        """What deletes what has finished; None: nothing does."""

    @property
    def tallies(self) -> Mapping[str, Tally]:
        """What has ended, by function."""
        return self._measures.tallies

    @property
    def ticks_fired(self) -> Mapping[str, int]:
        """Ticks that were enqueued, by function."""
        return self._crons.fired

    @property
    def tick_gaps(self) -> Mapping[str, int]:
        """Spans of missed ticks, by function."""
        return self._crons.gaps

    @property
    def ticks_skipped(self) -> Mapping[str, int]:
        """Ticks that a pause has skipped, by function."""
        return self._crons.skipped

    @property
    def pruned(self) -> Mapping[str, int]:
        """How many executions, and logs of others, retention has deleted."""
        return {"executions": 0, "logs": 0} if self.retention is None else self.retention.pruned

    @property
    def worker_deaths(self) -> int:
        """How many workers ended unasked."""
        return self._measures.worker_deaths

    @property
    def commits(self) -> int:
        """How many transactions came to the disk."""
        return self._writer.commits

    @property
    def why_refused(self) -> str | None:
        """Why the store takes nothing; None: it does."""
        refusal = self._writer.refusal
        return None if refusal is None else f"the store takes nothing: {refusal.problem}"

    def workers(self) -> dict[str, int]:
        """Return how many workers take work, end with what they run, or come up."""
        told = {"serving": 0, "retiring": 0, "starting": 0}
        for worker in self._pool.processes:
            told["retiring" if worker.is_retiring else "serving" if worker.has_joined else "starting"] += 1
        return told

    def slots(self) -> dict[str, int]:
        """Return how many slots are in use and free; ``waiting`` gave theirs back until what they await has ended."""
        busy = waiting = places = 0
        for worker in self._pool.processes:
            busy += worker.load
            waiting += worker.waiting
            if worker.has_joined:
                places += worker.load if worker.is_retiring else self._slots
        return {"busy": busy, "free": max(places - busy, 0), "waiting": waiting}

    def sizes(self) -> dict[str, int]:
        """Return the bytes of the database and of its write-ahead log."""
        return {"database": _size(self._database), "wal": _size(f"{self._database}-wal")}


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:  # moved away under a running runner: that is told elsewhere
        return 0
