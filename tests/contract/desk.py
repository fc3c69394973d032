"""One program that uses the library, reached by a route: what a test asks is done there, what comes of it is told."""

from __future__ import annotations

import pickle
import socket
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from defer_cli import Attempt, Execution, Filters, Listing, Page, When

DEADLINE_SECONDS = 60.0
_SIZE_BYTES = 4

SERVING = '''
import asyncio, importlib, pickle
import defer_cli

async def serve(path):
    """Do what the test asks, one thing after the other, and tell what came of it, until it hangs up."""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        while True:
            size = int.from_bytes(await reader.readexactly(4), "big")
            name, given, options = pickle.loads(await reader.readexactly(size))
            try:
                told = True, await globals().get(name, getattr(defer_cli, name, None))(*given, **options)
            except Exception as error:
                told = False, error
            data = pickle.dumps(told)
            writer.write(len(data).to_bytes(4, "big") + data)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

def bound(name, options):
    fn = getattr(importlib.import_module(f"defer.{name}"), name)
    return defer_cli.assign_options(fn, **options) if options else fn

async def call(name, *given, **options):
    return await bound(name, options)(*given)

async def result(name, *given):
    return await defer_cli.await_result(bound(name, {}))(*given)

async def call_and_ask(name, count, ask):
    """Make calls that nobody awaits, then ask about the last and the first at once."""
    calls = [bound(name, {"delay": "1h"})(number) for number in range(count)]
    ids = [calls[-1].id, calls[0].id]
    return ids, [await getattr(defer_cli, ask)(id) for id in ids]
'''


class Desk:
    """What tests call; each method does what its name says at the other end of the route, and raises what is raised."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._listener.settimeout(DEADLINE_SECONDS)
        self._end: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.close()
        if self._end is not None:
            self._end.close()

    def do(self, name: str, *given: Any, **options: Any) -> Any:
        """Do anything the library, or the serving module, has a name for."""
        data = pickle.dumps((name, given, options))
        if self._end is None:
            self._end, _ = self._listener.accept()
            self._end.settimeout(DEADLINE_SECONDS)
        self._end.sendall(len(data).to_bytes(_SIZE_BYTES, "big") + data)
        is_value, told = pickle.loads(self._receive(int.from_bytes(self._receive(_SIZE_BYTES), "big")))
        if not is_value:
            raise told
        return told

    def call(self, function: str, *arguments: Any, **options: Any) -> Execution:
        """Enqueue one call; return what the handle gives once it is on disk."""
        stored: Execution = self.do("call", function, *arguments, **options)
        return stored

    def get(self, id: str) -> Execution:
        found: Execution = self.do("get_execution", id)
        return found

    def result(self, id: str) -> Any:
        return self.do("get_execution_result", id)

    def list(self, page: Page | None = None, filters: Filters | None = None) -> Listing[Execution]:
        found: Listing[Execution] = self.do("list_executions", page, filters)
        return found

    def attempts(self, id: str, page: Page | None = None, filters: Filters | None = None) -> Listing[Attempt]:
        found: Listing[Attempt] = self.do("list_execution_attempts", id, page, filters)
        return found

    def cancel(self, id: str, *, force: bool = False) -> Execution:
        changed: Execution = self.do("cancel_execution", id, force=force)
        return changed

    def reschedule(self, id: str, when: When | datetime | None = None) -> Execution:
        changed: Execution = self.do("reschedule_execution", id, when)
        return changed

    def rerun(self, id: str) -> Execution:
        new: Execution = self.do("rerun_execution", id)
        return new

    def _receive(self, size: int) -> bytes:
        assert self._end is not None
        parts: list[bytes] = []
        while size:
            part = self._end.recv(min(size, 1 << 20))
            if not part:
                raise ConnectionError("the program at the other end has ended")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
