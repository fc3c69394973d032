"""Attempts as tasks of one loop: each in its own context, its logs reported, and then its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from msgspec import Struct

from defer_cli.client.context import AttemptScope, current_scope
from defer_cli.client.tracing import end_run, is_traced, trace_run
from defer_cli.domain.arguments import decode_arguments, encode_result
from defer_cli.domain.errors import ArgumentError
from defer_cli.domain.log_chunk import LogChunk
from defer_cli.link.frames import CancelItem, FrameError, Logs, OutcomeItem, Outcomes, StartItem
from defer_cli.workers.cutting import cuts
from defer_cli.workers.errors import describe
from defer_cli.workers.logs import AttemptLog, current_log
from defer_cli.workers.marks import Marked, Marker

_LIVE_SECONDS = 0.2
_NO_ARGUMENTS = (None, b"[]")


class Wire(Protocol):
    """The way of what attempts report."""

    def send(self, message: Struct) -> None:
        """Send a frame; never blocks."""


class _Attempt:
    """One attempt: its task, its log, the tasks it has started."""

    __slots__ = ("item", "log", "tasks")

    def __init__(self, item: StartItem, log: AttemptLog) -> None:
        self.item = item
        self.log = log
        self.tasks: set[asyncio.Task[Any]] | None = None


class Attempts:
    """Starts, cancels and reports attempts."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pipe: Wire,
        functions: dict[int, Callable[..., Coroutine[Any, Any, Any]]],
        names: dict[int, str],
        *,
        project: str,
        describe: Callable[..., FrameError] = describe,
        mark: Marker | None = None,
    ) -> None:
        self._loop = loop
        self._pipe = pipe
        self._functions = functions
        self._names = names
        self._project = project
        self._describe = describe
        self._mark = mark
        self._running: dict[int, tuple[_Attempt, asyncio.Task[None]]] = {}
        self._by_scope: dict[AttemptScope, _Attempt] = {}
        self._outcomes: list[OutcomeItem] = []
        self._chunks: list[LogChunk] = []
        self._noisy: set[AttemptLog] = set()
        self._live_timer: asyncio.TimerHandle | None = None
        loop.set_task_factory(self._make_task)  # type: ignore[arg-type]  # its options differ by version

    def start(self, items: Sequence[StartItem]) -> None:
        """Begin attempts, each in a context of its own."""
        for item in items:
            attempt = _Attempt(item, AttemptLog(item.seq, item.attempt, self._noted))
            self._running[item.seq] = (attempt, asyncio.Task(self._run(attempt), loop=self._loop))
        self._loop.call_soon(self._begun, items)

    def cancel(self, items: Sequence[CancelItem]) -> None:
        """Raise ``CancelledError`` in attempts that still run."""
        for item in items:
            found = self._running.get(item.seq)
            if found is not None and found[0].item.attempt == item.attempt:
                found[1].cancel()

    async def _run(self, attempt: _Attempt) -> None:
        item = attempt.item
        scope = AttemptScope(
            id=item.id,
            function=self._names[item.function],
            attempt=item.attempt,
            deadline_us=item.deadline_us,
            metadata=item.metadata,
            marked=item.marked,
            seq=item.seq,
            trace=item.trace,
        )
        current_scope.set(scope)
        current_log.set(attempt.log)
        span = trace_run(scope) if is_traced() else None
        result: bytes | None = None
        error: FrameError | None = None
        try:
            coroutine = self._call(item)
        except BaseException as raised:
            error = self._describe(raised, project=self._project, is_retryable=not isinstance(raised, ArgumentError))
        else:
            self._by_scope[scope] = attempt
            try:
                value = await (coroutine if self._mark is None else self._mark(item.seq, coroutine))
                result = self._encode(value, scope)
            except BaseException as raised:  # SystemExit in one task would end the loop, and its neighbours
                error = self._describe(raised, project=self._project, is_retryable=not isinstance(raised, _BadResult))
            if scope.has_calls:
                error = await self._settle_calls(scope, error)
            del self._by_scope[scope]
            if attempt.tasks:
                self._end_leftovers(attempt)
        if span is not None:
            end_run(span, error)
        self._report(attempt, None if error else result, error)

    def _call(self, item: StartItem) -> Coroutine[Any, Any, Any]:
        """Return the coroutine of an attempt; raise ``ArgumentError`` when its arguments no longer fit."""
        function = self._functions.get(item.function)
        if function is None:
            raise ImportError("this function could not be imported in the worker")
        if item.arguments in _NO_ARGUMENTS:
            args: list[Any] = []
            kwargs: dict[str, Any] = {}
        else:
            args, kwargs = decode_arguments(item.arguments or b"[]")
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            raise ArgumentError(f"the arguments no longer fit: {error}", mend="call it anew") from error

    def _encode(self, value: object, scope: AttemptScope) -> bytes | None:
        if value is None:
            return None
        try:
            scope.refuse_call_as_result(value)
            return encode_result(value)
        except ArgumentError as error:
            raise _BadResult(str(error)) from None

    async def _settle_calls(self, scope: AttemptScope, error: FrameError | None) -> FrameError | None:
        """Wait until every call made inside is on disk; a refusal nobody heard fails the attempt."""
        while True:
            try:
                await scope.settled()
                return error
            except asyncio.CancelledError as raised:
                return error or self._describe(raised, project=self._project)
            except BaseException as raised:
                return error or self._describe(raised, project=self._project)

    def _end_leftovers(self, attempt: _Attempt) -> None:
        for task in list(attempt.tasks or ()):
            if not task.done():
                attempt.log.line("stderr", f"defer: task {task.get_name()!r} was still running and is cancelled")
                task.cancel()

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        scope = current_scope.get()
        attempt = self._by_scope.get(scope) if scope is not None else None
        if attempt is not None and self._mark is not None:
            coroutine = Marked(self._mark, attempt.item.seq, coroutine)
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
        if attempt is not None:
            if attempt.tasks is None:
                attempt.tasks = set()
            attempt.tasks.add(task)
            task.add_done_callback(attempt.tasks.discard)
        return task

    def _begun(self, items: Sequence[StartItem]) -> None:
        """Report attempts that could not do so themselves: those cancelled before their first step, by whomever.

        All have had that step when this is called; a callback of each task would cost a third of a short attempt.
        """
        for item in items:
            found = self._running.get(item.seq)
            if found is None:
                continue
            attempt, task = found
            if task.done() and attempt.item is item:
                raised = asyncio.CancelledError() if task.cancelled() else task.exception()
                assert raised is not None
                self._report(attempt, None, self._describe(raised, project=self._project))

    def _report(self, attempt: _Attempt, result: bytes | None, error: FrameError | None) -> None:
        item = attempt.item
        del self._running[item.seq]
        if not self._outcomes:
            self._loop.call_soon(self._flush)
        self._outcomes.append(OutcomeItem(item.seq, item.attempt, result, error))
        chunk = attempt.log.take(is_last=True)
        if chunk is not None:
            self._noisy.discard(attempt.log)
            self._chunks.append(chunk)

    def _flush(self) -> None:
        """Send what attempts printed, and then how they ended: whoever sees an end finds the log that led to it, and a
        runner that stops when all have ended has the logs of all.
        """
        self._flush_chunks()
        outcomes, self._outcomes = self._outcomes, []
        for start, end in cuts([len(item.result or b"") + _size(item.error) for item in outcomes]):
            self._pipe.send(Outcomes(outcomes[start:end]))

    def _flush_chunks(self) -> None:
        chunks, self._chunks = self._chunks, []
        for start, end in cuts([len(chunk.lines) for chunk in chunks]):
            self._pipe.send(Logs(chunks[start:end]))

    def _noted(self, log: AttemptLog) -> None:
        """A log has its first waiting line; threads of the user's come here too."""
        self._noisy.add(log)
        if self._live_timer is None:
            try:
                is_ours = asyncio.get_running_loop() is self._loop
            except RuntimeError:
                is_ours = False
            if is_ours:
                self._arm_live()
            else:
                self._loop.call_soon_threadsafe(self._arm_live)

    def _arm_live(self) -> None:
        if self._live_timer is None:
            self._live_timer = self._loop.call_later(_LIVE_SECONDS, self._send_live)

    def _send_live(self) -> None:
        self._live_timer = None
        noisy, self._noisy = self._noisy, set()
        for log in list(noisy):  # a thread that got hold of it may still add to it
            chunk = log.take(is_last=False)
            if chunk is not None:
                self._chunks.append(chunk)
        self._flush_chunks()


class _BadResult(ArgumentError):
    """The function returned what is not JSON; running it again would not change that."""


def _size(error: FrameError | None) -> int:
    """Return the most bytes an error can take: four a character."""
    return 0 if error is None else 4 * (len(error.message) + len(error.traceback))
