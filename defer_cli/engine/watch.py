"""Loops of workers that are held up: who does it, where, and for how long."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable

from defer_cli.engine.events import Listener, Note
from defer_cli.workers.errors import is_user_file
from defer_cli.workers.marks import Frame
from defer_cli.workers.process import Assigned, WorkerProcess
from defer_cli.workers.threads import ThreadState, main_thread

LOOK_SECONDS = 0.2
_BLOCKED_SECONDS = 0.6
"""A step that is seen for so long holds its loop up; with a look before and the stack after, it is named in 1 s."""
_LONG_STEP_SECONDS = 0.1
"""So much time on the CPU is a lot for one step; less of it, and the machine has no time for the process."""
_STACK_SECONDS = 0.02
_MOST_TRIES = 10
_UNKNOWN = "-"


class Spell:
    """A time in which one attempt held up the loop of its worker; ``end`` is None while it does."""

    __slots__ = ("begin", "end", "function", "id", "is_told", "seq")

    def __init__(self, begin: float, seq: int, assigned: Assigned | None) -> None:
        self.begin = begin
        self.end: float | None = None
        self.seq = seq
        self.is_told = False
        self.function = assigned.running.function if assigned is not None else _UNKNOWN
        self.id = assigned.running.id if assigned is not None else _UNKNOWN

    def seconds_since(self, moment: float, now: float) -> float:
        """Return how much of it lies after ``moment``."""
        return max(0.0, (now if self.end is None else self.end) - max(self.begin, moment))


class _Sight:
    """What was seen of a worker at the last looks."""

    __slots__ = ("before", "seen", "spell", "spells", "state", "step")

    def __init__(self, step: int, now: float) -> None:
        self.spell: Spell | None = None
        self.spells: list[Spell] = []
        self.see(step, now, now)

    def see(self, step: int, now: float, before: float) -> None:
        """See a step for the first time; at the look ``before`` it had not begun."""
        self.step = step
        self.seen = now
        self.before = before
        self.state: ThreadState | None = None


class Watch:
    """Looks at the marks of workers while something runs in them; an idle runner is not woken."""

    def __init__(
        self,
        listener: Listener,
        *,
        on_blocked: Callable[[WorkerProcess], None],
        on_unblocked: Callable[[WorkerProcess], None],
        main_thread: Callable[[int], ThreadState | None] = main_thread,
    ) -> None:
        self._listener = listener
        self._on_blocked = on_blocked
        self._on_unblocked = on_unblocked
        self._main_thread = main_thread
        self._sights: dict[WorkerProcess, _Sight] = {}
        self._looked = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begun(self, workers: Iterable[WorkerProcess]) -> None:
        """Attempts have begun in these workers."""
        if self._timer is None:
            self._arm(asyncio.get_running_loop())
        for worker in workers:
            if worker not in self._sights:
                self._sights[worker] = _Sight(0, self._looked)

    def time_left(self, assigned: Assigned) -> float:
        """Return how many seconds an attempt still has: the time in which others held up its worker is not its own."""
        sight = self._sights.get(assigned.process)
        if sight is None:
            return 0.0
        now, began, seq = asyncio.get_running_loop().time(), assigned.deadline - assigned.span, assigned.running.seq
        held_up = sum(spell.seconds_since(began, now) for spell in sight.spells if spell.seq != seq)
        left = assigned.deadline + held_up - now
        return max(left, LOOK_SECONDS) if self._is_held_up(assigned, sight) else left

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        self._looked = loop.time()
        self._timer = loop.call_at(self._looked + LOOK_SECONDS, self._look)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for worker, sight in list(self._sights.items()):
            if worker.marks is None or not (worker.assigned or sight.spell):
                del self._sights[worker]
                continue
            step, seq = worker.marks.step
            if seq == 0 or step != sight.step:
                if sight.spell is not None:
                    self._end(worker, sight, now)
                sight.see(step, now, self._looked)
            elif sight.spell is None and self._is_blocked(worker, sight, now):
                self._begin(worker, sight, seq)
        self._timer = None
        if self._sights:
            self._arm(loop)

    def _is_held_up(self, assigned: Assigned, sight: _Sight) -> bool:
        """Whether a step of another has been on the CPU since the last look; it may come to be a spell."""
        worker = assigned.process
        step, seq = (0, 0) if worker.marks is None else worker.marks.step
        if step != sight.step or seq in (0, assigned.running.seq):
            return False
        if sight.spell is not None:
            return True
        state = self._main_thread(worker.pid)
        return state is not None and not state.is_stopped

    def _is_blocked(self, worker: WorkerProcess, sight: _Sight, now: float) -> bool:
        """Whether a step that is seen again holds its loop up; one that gets no time to go on does not."""
        state = self._main_thread(worker.pid)
        if state is None or state.is_stopped:
            sight.see(sight.step, now, now)
            return False
        if sight.state is None:
            sight.state = state
        if now - sight.seen < _BLOCKED_SECONDS:
            return False
        return state.sleeps or state.cpu_seconds - sight.state.cpu_seconds >= _LONG_STEP_SECONDS

    def _begin(self, worker: WorkerProcess, sight: _Sight, seq: int) -> None:
        assert worker.marks is not None
        spell = sight.spell = Spell(sight.before, seq, worker.assigned.get(seq))
        oldest = min((one.deadline - one.span for one in worker.assigned.values()), default=spell.begin)
        sight.spells = [past for past in sight.spells if past.end is None or past.end > oldest]
        sight.spells.append(spell)
        self._on_blocked(worker)
        worker.marks.ask_for_stack(worker.pid)
        self._tell_when_there(worker, spell, _MOST_TRIES)

    def _end(self, worker: WorkerProcess, sight: _Sight, now: float) -> None:
        assert sight.spell is not None
        spell, sight.spell = sight.spell, None
        spell.end = now
        self._on_unblocked(worker)
        self._tell_when_there(worker, spell, 0)
        about = {"function": spell.function, "id": spell.id, "pid": worker.pid, "for": round(now - spell.begin, 3)}
        self._listener.tell(Note("info", "event loop goes on", about))

    def _tell_when_there(self, worker: WorkerProcess, spell: Spell, tries: int) -> None:
        """Tell of a spell once the worker has written its stack; without it when it does not."""
        if spell.is_told:
            return
        loop = asyncio.get_running_loop()
        stack = worker.marks.stack() if worker.marks is not None else []
        if not stack and tries:
            loop.call_later(_STACK_SECONDS, self._tell_when_there, worker, spell, tries - 1)
            return
        spell.is_told = True
        at, seconds = place(stack, worker.directory), round(loop.time() - spell.begin, 3)
        about = {"function": spell.function, "id": spell.id, "pid": worker.pid, "at": at, "for": seconds}
        self._listener.tell(Note("warning", "event loop blocked", about))


def place(stack: list[Frame], project: str) -> str:
    """Return where a stack is in the project's own code, as file:line; its innermost frame when it is nowhere there."""
    if not stack:
        return _UNKNOWN
    found = next((frame for frame in stack if is_user_file(frame.file, project)), stack[0])
    is_own = found.file.startswith(os.path.join(project, ""))
    return f"{os.path.relpath(found.file, project) if is_own else found.file}:{found.line}"
