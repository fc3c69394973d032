"""A writer on a real store whose commits can be held, and everything it has told."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from defer_cli.domain.enqueue import Enqueue, Refused, Stored
from defer_cli.domain.log_chunk import LogChunk
from defer_cli.domain.settle import Move
from defer_cli.domain.states import State
from defer_cli.store.contract import Claim, Taker
from defer_cli.store.sqlite import open_reader, open_store
from defer_cli.store.sqlite.store import SqliteStore
from defer_cli.store.turn import Ahead
from defer_cli.store.writer import Writer
from tests.store.harness import NOON, newest

DEADLINE_SECONDS = 10


class Recorder:
    """The real store, with a note of what is done to it, and doors that can be held shut."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.steps: list[str] = []
        self.may_commit = threading.Event()
        self.may_commit.set()
        self.is_committing = threading.Event()
        self.may_sync = threading.Event()
        self.may_sync.set()
        self.is_syncing = threading.Event()
        self.failure: Exception | None = None
        self.logs_failure: Exception | None = None
        self.checkpoint_failure: Exception | None = None
        self.close_failure: Exception | None = None
        self.touch_failure: Exception | None = None
        self.touches = 0
        self.has_room = True
        self.chunks: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def transaction(self, on_written: Callable[[], None] | None = None) -> Iterator[None]:
        def before_the_sync() -> None:
            if on_written is not None:
                on_written()
            self.is_syncing.set()
            assert self.may_sync.wait(DEADLINE_SECONDS)

        self.steps.append("begin")
        with self._store.transaction(before_the_sync):
            yield
            if self.failure is not None:
                raise self.failure
            self.is_committing.set()
            assert self.may_commit.wait(DEADLINE_SECONDS)
        self.steps.append("commit")

    def insert(self, calls: Sequence[Enqueue], *, taker: Taker | None = None) -> list[Stored | Refused]:
        self.steps.append("insert")
        return self._store.insert(calls, taker=taker)

    def apply(self, moves: Sequence[Move]) -> list[bool]:
        self.steps.append("apply")
        return self._store.apply(moves)

    def claim(self, **given: Any) -> Claim:
        self.steps.append("claim")
        return self._store.claim(**given)

    def append_logs(self, chunks: Sequence[LogChunk]) -> None:
        self.steps.append("logs")
        if self.logs_failure is not None:
            raise self.logs_failure
        self._store.append_logs(chunks)
        self.chunks.append(len(chunks))

    def touch(self) -> None:
        self.touches += 1
        if self.touch_failure is not None:
            raise self.touch_failure
        self._store.touch()

    def keep_room(self) -> bool:
        return self.has_room and self._store.keep_room()

    def checkpoint_is_due(self) -> bool:
        return self.checkpoint_failure is not None or self._store.checkpoint_is_due()

    def checkpoint(self) -> None:
        if self.checkpoint_failure is not None:
            raise self.checkpoint_failure
        self._store.checkpoint()

    def close(self) -> None:
        self.steps.append("close")
        self._store.close()
        if self.close_failure is not None:
            raise self.close_failure

    def abandon(self) -> None:
        self.steps.append("abandon")
        self._store.abandon()

    @property
    def commits(self) -> int:
        return self.steps.count("commit")


class Desk:
    """A writer and everything it has told."""

    def __init__(self, path: Path, *, ahead: Ahead | None = None) -> None:
        self.path = path
        self.store = Recorder(open_store(path, clock=lambda: NOON))
        self.claims: list[Claim] = []
        self.applied: list[tuple[str, bool]] = []
        self.fatal: list[BaseException] = []
        self.answered_on: list[threading.Thread] = []
        self._told = asyncio.Event()
        self.writer = Writer(
            self.store,
            runner="a",
            on_claim=self._on_claim,
            on_applied=self._on_applied,
            on_fatal=self._on_fatal,
            ahead=ahead,
        )

    def _on_claim(self, claim: Claim) -> None:
        self.claims.append(claim)
        self._told.set()

    def _on_fatal(self, error: BaseException) -> None:
        self.fatal.append(error)
        self._told.set()

    def _on_applied(self, moves: Sequence[Move], applied: Sequence[bool]) -> None:
        self.applied += [(move.id, was) for move, was in zip(moves, applied, strict=True)]
        self._told.set()

    def started(self) -> list[Any]:
        return [running for claim in self.claims for running in claim.started]

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not is_so():
                self._told.clear()
                await self._told.wait()

    async def until_well(self) -> None:
        await self._look_until(lambda: self.writer.refusal is None)

    async def until_refusing(self) -> None:
        await self._look_until(lambda: self.writer.refusal is not None)

    async def until_touched(self, times: int) -> None:
        await self._look_until(lambda: self.store.touches >= times)

    @staticmethod
    async def _look_until(is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not is_so():
            assert time.monotonic() < deadline
            await asyncio.to_thread(time.sleep, 0.005)

    async def enqueue(self, *calls: Enqueue) -> list[Stored | Refused]:
        return await self.promise(*calls)

    def promise(self, *calls: Enqueue) -> asyncio.Future[list[Stored | Refused]]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Stored | Refused]] = loop.create_future()

        def on_done(results: list[Stored | Refused] | None, error: BaseException | None) -> None:
            self.answered_on.append(threading.current_thread())
            if results is None:
                loop.call_soon_threadsafe(future.set_exception, error or AssertionError("neither results nor error"))
            else:
                loop.call_soon_threadsafe(future.set_result, results)

        self.writer.enqueue(calls, on_done)
        return future

    async def barrier(self) -> None:
        await self.writer.submit(lambda store: None)

    def lines(self, id: str) -> list[str]:
        reader = open_reader(self.path)
        try:
            return [line.text for line in reader.log_lines(id)]
        finally:
            reader.close()

    def states(self) -> dict[str, State]:
        reader = open_reader(self.path)
        try:
            return {execution.id: execution.state for execution in newest(reader, limit=1_000)}
        finally:
            reader.close()

    @contextmanager
    def shut(self, ask: Callable[[], object] = lambda: None) -> Iterator[None]:
        """Hold the next commit for the block; ``ask`` for something where there is none without."""
        self.store.is_committing.clear()
        self.store.may_commit.clear()
        ask()
        self.writer.wake()
        assert self.store.is_committing.wait(DEADLINE_SECONDS)
        self.store.steps.clear()
        yield
        self.store.may_commit.set()
