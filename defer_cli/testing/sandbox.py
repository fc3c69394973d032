"""The sandbox: where the calls of one test go, how the test has them run, and what it sees of them."""

from __future__ import annotations

import inspect
import tempfile
from pathlib import Path
from typing import Any, Protocol, Self, TypeAlias

import msgspec

from defer_cli.background import BackgroundFunction, CronFunction
from defer_cli.client.asking import get_execution, get_execution_result, list_execution_attempts, list_executions
from defer_cli.client.delivery import LONGEST_WAIT_SECONDS
from defer_cli.client.lanes import Lane, lead_to_test
from defer_cli.client.process import sender
from defer_cli.domain.arguments import decode_arguments
from defer_cli.domain.changes import Change
from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.errors import DeferError, Unconfirmed
from defer_cli.domain.execution import Attempt, Execution
from defer_cli.domain.ids import random_id
from defer_cli.domain.paging import LARGEST_SIZE, Filters, Page
from defer_cli.testing.clock import Clock
from defer_cli.testing.drained import Drained
from defer_cli.testing.drains import Drains
from defer_cli.testing.failures import failure, without_our_frames
from defer_cli.testing.lanes import SandboxLane
from defer_cli.testing.runner import SandboxRunner


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


Which: TypeAlias = _HasId | str
"""An ``Execution``, the handle of a call, or an id."""

_open: list[Sandbox] = []

for _kind in (Attempt, Change, Filters):
    # msgspec keeps for good what the types of fields are when it first needs them: freezegun's, in a test that freezes
    # the time.
    msgspec.json.Decoder(_kind)


class Sandbox:
    """Takes the calls of this process while it is open: a store of its own, no runner, no project.

    Nothing runs before ``drain``. ``project`` is where errors show files relative to, the working directory by default.
    """

    def __init__(self, *, project: Path | None = None) -> None:
        self.clock = Clock()
        """Stands still: ``clock.now``, and ``clock.move("1h")``, which makes due what was to wait so long."""
        self._runner = SandboxRunner(project or Path.cwd(), self.clock)
        self._drains = Drains(self._runner)
        self._lanes: dict[str | None, SandboxLane] = {}
        self.clock.on_move = self._runner.look
        self._runner.on_lonely_wait = self._drains.begin_for_waiter

    def __enter__(self) -> Self:
        """Open it, once; raise ``DeferError`` while another one is open."""
        if _open:
            raise DeferError("another sandbox is open in this process", mend="use one at a time")
        self._folder = tempfile.TemporaryDirectory(prefix="defer-", ignore_cleanup_errors=True)
        self._runner.start(Path(self._folder.name) / "defer.db")
        _open.append(self)
        lead_to_test(self._lane_for)
        return self

    def __exit__(self, *_: object) -> None:
        """Close it; what is still queued is dropped with the store."""
        sender().flush(list(self._lanes.values()), LONGEST_WAIT_SECONDS)
        lead_to_test(None)
        _open.remove(self)
        self._drains.close()
        self._runner.stop()
        self._folder.cleanup()

    async def drain(self, *, check: bool = True) -> Drained:
        """Run what is due, and what that calls, until nothing is left; return what came of it, in numbers.

        A retry, and a delayed call that somebody awaits, is followed: the clock moves on to it. Other delayed calls
        wait for the test to move the clock. Raises ``ExecutionFailed`` for the first function that failed with no
        retry left and that no other awaited; with ``check=False`` failures are only counted.
        """
        __tracebackhide__ = True  # pytest shows the test and the function, not what is in between
        self._flush()
        tally, raised = await self._drains.drain()
        if check and tally.unheard:
            raise failure(tally.unheard) from without_our_frames(raised.get(tally.unheard[0].id))
        return tally.drained()

    def trigger(self, cron: CronFunction[Any]) -> Execution:
        """Enqueue one execution of a cron, as ``defer trigger`` does; return it."""
        self._runner.learn_one(_checked_cron(cron).definition)
        call = Enqueue(id=random_id(), function=cron.name, arguments=b"[]", called_us=self.clock.now_us())
        self._runner.run_now(self._runner.enqueue(call))
        return self._runner.run_now(get_execution(call.id))

    def executions(self, fn: BackgroundFunction[..., Any] | CronFunction[Any] | None = None) -> list[Execution]:
        """Return the executions of a function, or of all, in the order in which they were stored."""
        self._flush()
        filters = Filters(functions=[] if fn is None else [fn.name])
        found: list[Execution] = []
        page = Page(first=LARGEST_SIZE)
        while True:
            listing = self._runner.run_now(list_executions(page, filters))
            found += listing.items
            if not listing.page_info.has_next_page:
                return found[::-1]
            page = Page(first=LARGEST_SIZE, after=listing.page_info.end_cursor)

    def attempts(self, execution: Which) -> list[Attempt]:
        """Return the attempts of an execution, the first one first: when each ran, how it ended, with which error."""
        self._flush()
        whole = Page(first=LARGEST_SIZE)
        return self._runner.run_now(list_execution_attempts(_id(execution), whole)).items[::-1]

    def arguments(self, execution: Which) -> dict[str, Any]:
        """Return what the function was called with, by the names of its parameters, defaults left out."""
        stored = self._answer("arguments", execution)
        args, kwargs = decode_arguments(stored.encode())
        name = self._runner.run_now(get_execution(_id(execution))).function
        return dict(inspect.signature(self._runner.functions.plain(name)).bind(*args, **kwargs).arguments)

    def result(self, execution: Which) -> Any:
        """Return what the function returned; raises as ``get_execution_result``."""
        self._flush()
        return self._runner.run_now(get_execution_result(_id(execution)))

    def log(self, execution: Which) -> str:
        """Return what the function printed and logged, over all attempts, a line each."""
        return "\n".join(text for _, _, _, text in self._answer("log", execution))

    def _answer(self, name: str, execution: Which) -> Any:
        self._flush()
        return self._runner.run_now(self._runner.answer(name, id=_id(execution)))

    def _flush(self) -> None:
        left = sender().flush(list(self._lanes.values()), LONGEST_WAIT_SECONDS)
        if left:
            raise Unconfirmed(f"{left} call(s) got no answer within {LONGEST_WAIT_SECONDS:g} s")

    def _lane_for(self, file: str | None) -> Lane:
        self._drains.note_caller()
        lane = self._lanes.get(file)
        if lane is None:
            lane = self._lanes[file] = SandboxLane(self._runner.link, self.clock, learn=self._runner.learn, file=file)
        return lane


def _checked_cron(cron: object) -> CronFunction[Any]:
    if isinstance(cron, CronFunction):
        return cron
    name = getattr(cron, "name", repr(cron))
    raise DeferError(f"{name} is not a cron", mend=f"call it: {name}(…)")


def _id(execution: Which) -> str:
    return execution if isinstance(execution, str) else execution.id
