"""The one thread that writes: everything asked for while a commit is on its way shares the next one."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from defer_cli.domain.enqueue import Enqueue, Refused, Stored
from defer_cli.domain.errors import StoreError, StoreFull
from defer_cli.domain.log_chunk import LogChunk
from defer_cli.domain.settle import Move
from defer_cli.store.contract import Claim, Limit, Store, Taker
from defer_cli.store.turn import Ahead, Request, Turn, Work, as_store_error, meet, write_apart

T = TypeVar("T")
Apply = Callable[[Store, Sequence[Move]], list[bool]]

MOST_CALLS = 1_000
"""Calls of one commit: more wait for the next, so that nobody waits long for a crowd."""
_MOST_CHUNKS = 1_000
_MOST_CHUNK_BYTES = 1 << 20
_REFUSED_AGAIN_SECONDS = 0.5
_log = logging.getLogger(__name__)


class Writer:
    """Group commit: outcomes first, then requests as they arrived, then the claim, then logs.

    All methods but ``_run`` and what it calls belong to the event loop's thread. Nothing is answered
    before it is on disk.
    """

    def __init__(
        self,
        store: Store,
        *,
        runner: str,
        on_claim: Callable[[Claim], None],
        on_applied: Callable[[Sequence[Move], Sequence[bool]], None],
        on_fatal: Callable[[BaseException], None],
        apply: Apply = lambda store, moves: store.apply(moves),
        ahead: Ahead | None = None,
    ) -> None:
        """``apply`` writes outcomes, and what must be on disk with them; ``ahead`` prepares claims meanwhile."""
        self._store = store
        self._runner = runner
        self._on_claim = on_claim
        self._on_applied = on_applied
        self._on_fatal = on_fatal
        self._apply = apply
        self._ahead = ahead
        self._announced = 0
        self._moves: deque[Move] = deque()
        self._requests: deque[Request] = deque()
        self._chunks: deque[LogChunk] = deque()
        self._bell = threading.Lock()
        self._bell.acquire()
        self._is_stopping = False
        self._granted = 0  # written by the loop only, as _taken is by the thread only: no lock is needed
        self._taken = 0
        self._granted_isolated = self._taken_isolated = 0
        self._functions: Mapping[str, Limit] = {}
        self._busy = False
        self._told_due_us: int | None = None
        self._handed_over = 0  # answers that have left the thread, and those that have reached the loop
        self._delivered = 0
        self._held: list[Move] = []
        self._broken: StoreError | None = None
        self.commits = 0
        """Transactions that were committed; written by the thread only."""
        self.refusal: StoreError | None = None
        """Why the store took nothing last; None: it takes what it is given. Written by the thread only."""
        self._thread = threading.Thread(target=self._run, name="defer-writer", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Start the thread; call it from the loop that gets the answers."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Write what was asked for, then end the thread and close the store."""
        self._is_stopping = True
        self._ring()
        await asyncio.to_thread(self._thread.join)

    def grant(self, slots: int) -> None:
        """Let the claim take ``slots`` more executions (fewer when negative)."""
        self._granted += slots
        if slots > 0:
            self._ring()

    def grant_isolated(self, places: int) -> None:
        """Let the claim take ``places`` more executions that are to be run isolated (fewer when negative)."""
        self._granted_isolated += places
        if places > 0:
            self._ring()

    @property
    def free_slots(self) -> int:
        """How many executions the next claim may take; below 0 when waits have resumed over the count."""
        return self._granted - self._taken

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be written, and every answer has been given."""
        is_writing = self._moves or self._requests or self._busy or self._held
        return not is_writing and self._handed_over == self._delivered

    @property
    def has_logs(self) -> bool:
        """Whether log chunks wait to be written."""
        return bool(self._chunks)

    def set_functions(self, functions: Mapping[str, Limit]) -> None:
        """Claim executions of these functions only, under these limits."""
        self._functions = functions
        self._ring()

    def settle(self, moves: Sequence[Move]) -> None:
        """Write outcomes; what came of them goes to ``on_applied``."""
        self._moves.extend(moves)
        self._ring()

    def enqueue(
        self, calls: Sequence[Enqueue], on_done: Callable[[list[Stored | Refused] | None, BaseException | None], None]
    ) -> None:
        """Insert calls in arrival order; ``on_done`` gets one result each, or why nothing was stored.

        It is called on the writer's thread, so that an answer need not wait for the loop to wake.
        """
        self._requests.append(Request(len(calls), on_done, None, calls, True))
        self._ring()

    def insert(self, calls: Sequence[Enqueue]) -> asyncio.Future[list[Stored | Refused]]:
        """Insert calls in arrival order; the future has one result each."""
        return self._asked(len(calls), None, calls)

    def submit(self, work: Callable[[Store], T]) -> asyncio.Future[T]:
        """Do ``work`` in a transaction, in arrival order; an error it raises undoes it alone."""
        return self._asked(1, work)

    def _asked(self, weight: int, work: Work | None, calls: Sequence[Enqueue] = ()) -> asyncio.Future[Any]:
        assert self._loop is not None
        future: asyncio.Future[Any] = self._loop.create_future()

        def on_done(value: Any, error: BaseException | None) -> None:
            if future.cancelled():
                return
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)

        self._requests.append(Request(weight, on_done, work, calls))
        self._ring()
        return future

    def write_logs(self, chunks: Sequence[LogChunk]) -> None:
        """Keep log chunks, after everything else."""
        self._chunks.extend(chunks)
        self._ring()

    def wake(self) -> None:
        """Claim again: something has become due."""
        self._told_due_us = None
        self._ring()

    def _ring(self) -> None:
        if self._bell.locked():
            with suppress(RuntimeError):  # the other thread has rung meanwhile
                self._bell.release()

    # The thread.

    def _run(self) -> None:
        pause = -1.0
        was_refused = False
        while True:
            self._bell.acquire(timeout=pause)
            pause = -1.0
            self._busy = True
            turn = self._take()
            if not was_refused and not self._is_full:  # outcomes alone may fit on a disk that has no room for logs
                turn.chunks = self._take_chunks()
            try:
                self._write(turn)
            except BaseException as error:  # the thread must outlive whatever the store does
                self._take_back(turn, error)
                pause = -1.0 if self._broken else _REFUSED_AGAIN_SECONDS
            else:
                self.commits += 1
            was_refused = turn.failure is not None
            self._hand_over(turn)
            self._fold()
            if self.refusal is not None and not was_refused and self._broken is None:
                self._look_for_healing()
                pause = _REFUSED_AGAIN_SECONDS if self.refusal is not None and self._broken is None else -1.0
            if self._moves or self._requests or (self._chunks and not was_refused and not self._is_full):
                self._ring()
            elif self._is_stopping and self._is_over(turn):
                self._close()
                return

    def _take_back(self, turn: Turn, error: BaseException) -> None:
        turn.failure = error
        self._note_refusal(error)
        self._held = turn.moves
        self._chunks.extendleft(reversed(turn.chunks))
        if turn.claim is not None and not turn.commit:  # else the loop gives the slots back
            self._count(turn.claim, -1)
        if isinstance(error, StoreError) and error.is_fatal:
            self._broken = error

    @property
    def _is_full(self) -> bool:
        """Whether the disk is full, so that what runs can end, and nothing else begins."""
        return isinstance(self.refusal, StoreFull)

    def _note_refusal(self, error: BaseException) -> None:
        before, self.refusal = self.refusal, as_store_error(error)
        if before is None or before.problem != self.refusal.problem:
            tell = _log.debug if self.refusal.is_fatal else _log.error  # the runner ends with it, and says so
            tell("the store refused a transaction: %s", self.refusal, exc_info=None if self._is_full else error)
        if self._is_full:
            self._store.make_room()

    def _look_for_healing(self) -> None:
        """Write a little, and fold the log: a turn may have had nothing to write, a log may have room for little."""
        if self._is_full and not self._store.keep_room():
            return
        try:
            with self._store.transaction():
                self._store.touch()
            self._store.checkpoint()
        except Exception as error:
            self._note_refusal(error)
            self._give_up_if_fatal(error)
        else:
            self.refusal = None
            _log.warning("the store takes new work again")
            self._ring()  # for the claim, and for logs that were held back

    def _is_over(self, turn: Turn) -> bool:
        """Whether no outcome is left that another turn, perhaps one without logs, could write."""
        is_hopeless = turn.failure is not None and (self._broken is not None or not turn.chunks)
        return not self._held or is_hopeless

    def _close(self) -> None:
        close = self._store.close if self._broken is None else self._store.abandon
        try:
            close()
        except Exception as error:
            _log.exception("the store could not be closed")
            self._give_up_if_fatal(error)

    def _fold(self) -> None:
        """Checkpoint after the answers have left: nobody waits for it, and the log stays short."""
        if self._broken is not None:
            return
        try:
            if self._store.checkpoint_is_due():
                self._store.checkpoint()
        except Exception as error:
            if isinstance(error, StoreFull):
                self._note_refusal(error)
                return
            _log.exception("the store could not be checkpointed")
            self._give_up_if_fatal(error)

    def _give_up_if_fatal(self, error: Exception) -> None:
        if isinstance(error, StoreError) and error.is_fatal:
            self._broken = error
            self._call_on_loop(self._on_fatal, error)

    def _take_chunks(self) -> list[LogChunk]:
        """Take as many as a commit may hold before who waits for the next one would notice."""
        chunks: list[LogChunk] = []
        size = 0
        while self._chunks and len(chunks) < _MOST_CHUNKS and size < _MOST_CHUNK_BYTES:
            chunk = self._chunks.popleft()
            size += len(chunk.lines)
            chunks.append(chunk)
        return chunks

    def _take(self) -> Turn:
        turn = Turn()
        turn.moves, self._held = self._held, []
        moves = self._moves
        turn.moves.extend([moves.popleft() for _ in range(len(moves))])
        size = 0
        while self._requests and size < MOST_CALLS:
            request = self._requests.popleft()
            size += request.weight
            turn.requests.append(request)
        return turn

    def _write(self, turn: Turn) -> None:
        if self._broken is not None:
            raise self._broken.with_traceback(None)
        if self._is_full:
            write_apart(self._store, turn, self._apply)
            return
        store, is_stopping, free = self._store, self._is_stopping, self.free_slots
        taker = Taker(free, self._runner, self._functions) if free > 0 and not is_stopping else None
        is_early = False

        def on_written() -> None:
            if is_early:
                self._let_begin(turn)

        with store.transaction(on_written):
            if turn.moves:
                turn.applied = self._apply(store, turn.moves)
            meet(store, turn, taker)
            if not is_stopping:
                turn.claim = self._claim(taker)
            if turn.chunks:
                self._append(turn.chunks)
            if self._ahead is not None and turn.has_started:
                self._announced = turn.commit = self._announced + 1
                self._call_on_loop(self._ahead.claimed_ahead, turn.commit, turn.claim)
                is_early = turn.is_unheard_of
        if not is_early:
            self._let_begin(turn)

    def _let_begin(self, turn: Turn) -> None:
        if self._ahead is not None and turn.commit:
            self._ahead.may_begin(turn.commit)

    def _claim(self, taker: Taker | None) -> Claim | None:
        free, isolated = self.free_slots, self._granted_isolated - self._taken_isolated
        if taker is None and free <= 0 and isolated <= 0:  # what has begun for a taker is claimed, free or not
            return None
        claim = self._store.claim(
            limit=max(free, 0), isolated=max(isolated, 0), runner=self._runner, functions=self._functions
        )
        self._count(claim, 1)
        return claim

    def _count(self, claim: Claim, sign: int) -> None:
        self._taken_isolated += sign * claim.isolated
        self._taken += sign * (len(claim.started) - claim.isolated)

    def _append(self, chunks: Sequence[LogChunk]) -> None:
        try:
            with self._store.savepoint():
                self._store.append_logs(chunks)
        except StoreError:
            raise
        except Exception:  # again and again it would stop all else
            _log.exception("log chunks that the store cannot keep were dropped")

    def _hand_over(self, turn: Turn) -> None:
        self._told_due_us = turn.leave_out_due(self._told_due_us)
        has_news = turn.has_news
        self._handed_over += has_news
        self._busy = False
        is_urgent = turn.has_started and not turn.commit  # who is to run waits for longer than who called
        if not is_urgent:
            turn.answer()
        if has_news:
            self._call_on_loop(self._deliver, turn)
        if is_urgent:
            turn.answer()

    def _call_on_loop(self, tell: Callable[..., None], *news: object) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(tell, *news)
        except RuntimeError:  # the loop has closed: nobody is left to be told
            _log.debug("the loop closed before the writer's last answer")

    # The loop.

    def _deliver(self, turn: Turn) -> None:
        self._delivered += 1
        if turn.failure is not None:
            self._refuse(turn, turn.failure)
            return
        if turn.claim is not None:
            self._on_claim(turn.claim)
        for on_done, value, error in turn.results:
            on_done(value, error)
        if turn.moves:
            self._on_applied(turn.moves, turn.applied)

    def _refuse(self, turn: Turn, failure: BaseException) -> None:
        error = as_store_error(failure)
        if self._ahead is not None and turn.commit and turn.claim is not None:
            self._ahead.undone(turn.commit, turn.claim)
        for request in turn.requests:
            request.on_done(None, error)
        if error.is_fatal:
            self._on_fatal(error)
