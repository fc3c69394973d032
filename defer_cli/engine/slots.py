"""The slots of workers: an attempt that waits gives its own back, and has the next free one of its worker after."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from defer_cli.engine.places import Answer, Places, occupy
from defer_cli.workers.process import Assigned, WorkerProcess


class Slots:
    """Lets no worker run more than ``size`` attempts that do not wait.

    ``grant`` lets the claim take so many more executions, fewer when negative. What runs in a process beyond the pool
    has one of ``places`` instead of a slot.
    """

    def __init__(self, size: int, grant: Callable[[int], None], places: Places) -> None:
        self.size = size
        self._grant = grant
        self._places = places
        self._resuming: dict[WorkerProcess, dict[Assigned, Answer]] = {}

    def have_room(self, load: int) -> bool:
        """Whether a worker that runs ``load`` attempts may run one more."""
        return load < self.size

    def joined(self) -> None:
        """A worker takes work from now on."""
        self._grant(self.size)

    def retired(self, worker: WorkerProcess) -> None:
        """A worker takes no more work: its free slots are gone, what it runs goes on."""
        self._withdraw_free(worker)

    def blocked(self, worker: WorkerProcess) -> None:
        """Nothing goes on in a worker: its free slots are gone until it is ``unblocked``."""
        self._withdraw_free(worker)
        worker.is_blocked = True

    def unblocked(self, worker: WorkerProcess) -> None:
        """What blocked a worker has ended."""
        worker.is_blocked = False
        if worker.takes_work:
            self._grant(self.size - worker.load)

    def lost(self, worker: WorkerProcess) -> None:
        """A worker has died, and all that was in it has been released."""
        if worker.takes_work:
            self._grant(-self.size)

    def released(self, worker: WorkerProcess, attempts: Sequence[Assigned]) -> None:
        """Attempts have ended and left their worker."""
        freed = len(attempts)
        if worker.waiting:
            waiting = [assigned for assigned in attempts if assigned.is_waiting]
            worker.waiting -= len(waiting)
            freed -= len(waiting)
            for assigned in waiting:
                if (answer := self._stop_resuming(assigned)) is not None:
                    answer()
        if worker.is_alone:
            for _ in range(freed):
                self._places.freed()
        elif freed:
            self._freed(worker, freed)

    def give_back(self, assigned: Assigned) -> None:
        """An attempt begins to wait; answers that it was to get with its slot it gets without."""
        if not assigned.is_waiting:
            assigned.is_waiting = True
            assigned.process.waiting += 1
            if assigned.process.is_alone:
                self._places.add(1)
            else:
                self._freed(assigned.process, 1)
        elif (answer := self._stop_resuming(assigned)) is not None:
            answer()

    def resume(self, assigned: Assigned, answer: Answer) -> None:
        """An attempt waits for nothing any more: answer as soon as its worker has a slot for it."""
        if assigned.process.is_alone:
            self._places.resume(assigned, answer)
        elif self.have_room(assigned.process.load):
            self._take(assigned)
            answer()
        else:
            self._resuming.setdefault(assigned.process, {})[assigned] = answer

    def resume_now(self, assigned: Assigned) -> None:
        """An attempt goes on by itself, its wait was cut: it has a slot, even if that is one too many."""
        if assigned.process.is_alone:
            answer = self._places.resume_now(assigned)
        else:
            answer = self._stop_resuming(assigned)
            self._take(assigned)
        if answer is not None:
            answer()

    def _withdraw_free(self, worker: WorkerProcess) -> None:
        if worker.takes_work:
            self._grant(worker.load - self.size)

    def _freed(self, worker: WorkerProcess, left: int) -> None:
        """Slots are free: who waited in the worker was there before anything that could be claimed."""
        resuming = self._resuming.get(worker)
        while resuming and self.have_room(worker.load):
            assigned = next(iter(resuming))
            answer = resuming.pop(assigned)
            occupy(assigned)
            left -= 1
            answer()
        if resuming is not None and not resuming:
            del self._resuming[worker]
        if left and worker.takes_work:
            self._grant(left)

    def _take(self, assigned: Assigned) -> None:
        occupy(assigned)
        if assigned.process.takes_work:
            self._grant(-1)

    def _stop_resuming(self, assigned: Assigned) -> Answer | None:
        if assigned.process.is_alone:
            return self._places.stop_resuming(assigned)
        resuming = self._resuming.get(assigned.process)
        if resuming is None:
            return None
        answer = resuming.pop(assigned, None)
        if not resuming:
            del self._resuming[assigned.process]
        return answer
