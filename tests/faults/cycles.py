"""A runner's cycle of claim, run and finish, which goes wrong at one of its system calls."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from defer_cli.domain.execution import Execution
from defer_cli.domain.states import State
from tests.faults.figures import is_whole
from tests.faults.tracing import TracedProject

_TRACED = re.compile(r"^(\d+)\s+(?:<\.\.\. )?(\w+)")
_READY = "runner ready"
_INJECTED = "INJECTED"
FUNCTION = """
    @defer(concurrency=2)
    async def one(number):
        note("ran", current_execution().id)
        return number
"""
CALLS = 3
LANES = 3
"""Cycles at once: each waits for processes most of the time."""
APP = f"""
    import sys
    from pathlib import Path
    sys.path.insert(0, str(Path(__file__).parent))
    from defer.one import one
    for number in range({CALLS}):
        print(one(number).id)
"""


class Moment(NamedTuple):
    """The ``nth`` call of one kind that a thread of the runner makes, of those to ``file`` where one is named."""

    call: str
    nth: int
    file: str = ""


class Trial(NamedTuple):
    """What came of a fault at one moment: the runner's exit code and words, and what the next runner made of it."""

    moment: Moment
    code: int
    said: str
    has_come: bool
    keeps_log: bool
    """Whether what was written ahead is still there: a runner that has folded it into the database deletes it."""
    next_code: int
    ends: list[tuple[Execution, int]]
    """Executions that were accepted before, each with how often its function ran."""

    @property
    def ended_well(self) -> bool:
        """Whether the next runner ended well, and nothing is lost, charged or run again unrecorded."""
        return self.next_code == 0 and all(ended_well(one, ran) for one, ran in self.ends)


def ended_well(one: Execution, ran: int) -> bool:
    """Whether an execution has succeeded uncharged, each time that its function ran recorded."""
    return one.state is State.SUCCEED and not one.charged and 1 <= ran <= one.attempt


def try_each(root: Path, moments_of: Callable[[Cycle], list[Moment]], *, fault: str, few: int) -> list[Trial]:
    """Inject a fault at every moment that clean cycles have in common, in several lanes at once; the fast form has one
    lane, and tries about ``few``, spread.

    In common: how often threads ask each other for the interpreter differs by half from one cycle to the next.
    """
    lanes = LANES if is_whole() else 1
    cycles = [Cycle(root / str(number)) for number in range(lanes)]
    try:
        with ThreadPoolExecutor(lanes) as pool:
            first, *others = pool.map(moments_of, cycles)
            moments = [moment for moment in first if all(moment in other for other in others)]
            chosen = moments if is_whole() else moments[:: max(len(moments) // few, 1)]

            def in_lane(lane: int) -> list[Trial]:
                return [cycles[lane].trial(moment, fault) for moment in chosen[lane::lanes]]

            return list(chain.from_iterable(pool.map(in_lane, range(lanes))))
    finally:
        for cycle in cycles:
            cycle.end()


class Cycle(TracedProject):
    """A project whose database exists; only its runner is traced, not the workers."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.write(one=FUNCTION)
        self.call()
        assert self.burst("--workers", "1").process.returncode == 0

    def call(self) -> list[str]:
        """Have an application call while no runner lives; return the ids of what was accepted."""
        ids = self.app(APP).stdout.split()
        assert len(ids) == CALLS
        return ids

    def moments(self, *calls: str, file: str = "") -> list[Moment]:
        """Return every call of these kinds that a clean cycle makes, from the moment it is ready on."""
        self.call()
        _, _, trace = self._traced([*_only(self.data, file), "-e", f"trace={','.join((*calls, 'write'))}"])
        before: dict[tuple[str, str], int] = {}
        counts: Counter[tuple[str, str]] = Counter()
        for line in trace.splitlines():
            found = _TRACED.match(line)
            if found is None or "resumed>" in line:
                continue
            counts[found.group(1), found.group(2)] += 1
            if _READY in line and not before:
                before = dict(counts)
        found_in = {
            Moment(call, nth, file)
            for (thread, call), count in counts.items()
            if call in calls
            for nth in range(before.get((thread, call), 0) + 1, count + 1)
        }
        return sorted(found_in)

    def trial(self, moment: Moment, fault: str) -> Trial:
        """Run a burst with a ``fault`` at one moment, and then another without."""
        ids = self.call()
        code, said, has_come = self._go_wrong(moment, fault)
        keeps_log = (self.data / "defer.db-wal").exists()
        next_code = self.burst("--workers", "1").process.returncode
        ran = Counter(self.noted("ran"))
        return Trial(moment, code, said, has_come, keeps_log, next_code, [(self.get(id), ran[id]) for id in ids])

    def _go_wrong(self, moment: Moment, fault: str) -> tuple[int, str, bool]:
        inject = f"inject={moment.call}:{fault}:when={moment.nth}"
        code, said, trace = self._traced(
            [*_only(self.data, moment.file), "-e", f"trace={moment.call}", "-e", inject], fails=True
        )
        return code, said, _INJECTED in trace or code < 0

    def _traced(self, options: list[str], *, fails: bool = False) -> tuple[int, str, str]:
        trace = self.root / "trace"
        runner = self.trace(["-s", "64", "-o", str(trace), *options], "--burst", "--workers", "1")
        code = runner.wait()
        assert fails or code == 0, runner.output
        return code, runner.output, trace.read_text()


def _only(data: Path, file: str) -> list[str]:
    return ["-P", str(data / file)] if file else []
