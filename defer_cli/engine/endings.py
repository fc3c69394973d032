"""Attempts that must end before they would: over their time, aborted, or in the way of a stop. Asked, then killed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from defer_cli.domain.settle import Reason
from defer_cli.engine.deadlines import Deadlines
from defer_cli.engine.watch import Watch
from defer_cli.link.frames import Cancel, CancelItem
from defer_cli.workers.process import Assigned, WorkerProcess

GRACE_SECONDS = 5.0
"""Between asking an attempt to end and killing its process."""


class Endings:
    """Each attempt is asked once, whoever wants it to end: a second cancel would break into its ``finally``."""

    def __init__(self, watch: Watch) -> None:
        self.deadlines = Deadlines(
            self._too_long, self._too_stubborn, grace_seconds=GRACE_SECONDS, time_left=watch.time_left
        )

    def abort(self, attempts: Sequence[Assigned]) -> None:
        """Have attempts end whose abort is on disk, whatever they come to; those that do not follow are killed."""
        asked = [assigned for assigned in attempts if not assigned.is_ending]
        for assigned in attempts:
            assigned.running.is_aborting = True
        self._ask(asked)
        for assigned in asked:
            self.deadlines.watch_end(assigned)

    def stop(self, attempts: Iterable[Assigned]) -> None:
        """Have attempts end because the runner does; whoever stops it has an eye on those that do not follow."""
        asked = [assigned for assigned in attempts if not assigned.is_ending]
        for assigned in asked:
            assigned.reason = Reason.STOP
        self._ask(asked)

    def kill(self, attempts: Iterable[Assigned]) -> None:
        """Kill the processes of attempts that are left when the runner ends."""
        for worker in {assigned.process for assigned in attempts}:
            worker.condemn("was killed at the end of the runner")

    def _too_long(self, assigned: Assigned) -> None:
        assigned.reason = Reason.MAX_DURATION
        self._ask([assigned])

    def _too_stubborn(self, assigned: Assigned) -> None:
        assigned.process.condemn(f"was killed: {assigned.running.function} did not end within {GRACE_SECONDS:g} s")

    def _ask(self, attempts: Sequence[Assigned]) -> None:
        self.deadlines.remove(attempts)
        by_worker: dict[WorkerProcess, list[CancelItem]] = {}
        for assigned in attempts:
            running = assigned.running
            by_worker.setdefault(assigned.process, []).append(CancelItem(running.seq, running.attempt))
        for worker, cancels in by_worker.items():
            worker.order(Cancel(cancels))
