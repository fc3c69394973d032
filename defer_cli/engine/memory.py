"""Workers that take too much memory are replaced; who takes too much alone is ended and charged."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from defer_cli.domain.function import FunctionSpec
from defer_cli.domain.settle import Reason
from defer_cli.domain.size import size_in_words
from defer_cli.engine.events import Listener, Note
from defer_cli.workers.memory import resident_bytes
from defer_cli.workers.pool import Pool
from defer_cli.workers.process import Assigned, WorkerProcess

_LOOK_SECONDS = 0.25
_MOST_OVER = 2
"""A worker that has stopped taking work, and goes on growing to so many times its limit, is killed."""


class MemoryWatch:
    """Looks at the workers while there is a limit to keep.

    In a worker of the pool nobody can tell which of a hundred executions took the memory. So one that has grown beyond
    what one of them may use is killed, as if it had died: its executions are run again isolated, and there it shows.
    """

    def __init__(self, pool: Pool, listener: Listener, *, worker_memory: int | None) -> None:
        self._pool = pool
        self._listener = listener
        self._worker_memory = worker_memory
        self._has_limits = False
        self._timer: asyncio.TimerHandle | None = None

    def set_functions(self, functions: Mapping[str, FunctionSpec]) -> None:
        """Keep the limits of these functions, and that of workers."""
        has_own = any(spec.options.max_memory is not None for spec in functions.values())
        self._has_limits = has_own or self._worker_memory is not None
        if self._has_limits and self._timer is None:
            self._look()

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        if not self._has_limits:
            return
        for worker in self._pool.processes:
            if worker.is_usable:
                used = resident_bytes(worker.pid)
                (self._judge_alone if worker.is_alone else self._judge)(worker, used)
        self._timer = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)

    def _judge_alone(self, worker: WorkerProcess, used: int) -> None:
        for assigned in list(worker.assigned.values()):
            limit = assigned.spec.options.max_memory or self._worker_memory
            if limit is None or used <= limit or assigned.is_ending:
                continue
            if worker.begun == 1:  # else what others left in it may be what is too much
                assigned.reason = Reason.MEMORY
            worker.condemn(f"was killed: it took {size_in_words(used)}, its limit is {size_in_words(limit)}")

    def _judge(self, worker: WorkerProcess, used: int) -> None:
        greedy = min((one for one in worker.assigned.values() if _limit_of(one)), key=_limit_of, default=None)
        if greedy is not None and used - worker.loaded_bytes > _limit_of(greedy):
            self._kill(worker, used, f"max_memory of {greedy.running.function}", _limit_of(greedy))
        elif self._worker_memory is None or worker.loaded_bytes >= self._worker_memory:
            return  # with its functions alone it is over: the next one would be as well
        elif worker.assigned and used > self._worker_memory * _MOST_OVER:
            self._kill(worker, used, f"{_MOST_OVER} times worker_memory", self._worker_memory)
        elif used > self._worker_memory and not worker.is_retiring:
            self._listener.tell(
                Note("info", "a worker that had grown is replaced", {"pid": worker.pid, "memory": size_in_words(used)})
            )
            self._pool.recycle(worker)

    def _kill(self, worker: WorkerProcess, used: int, what: str, limit: int) -> None:
        worker.exit_cause = f"was killed: it took {size_in_words(used)}, over {what} ({size_in_words(limit)})"
        worker.kill()


def _limit_of(assigned: Assigned) -> int:
    return assigned.spec.options.max_memory or 0
