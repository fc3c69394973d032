"""What callers ask: short reads on connections that cannot write, answered as plain data."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec

from defer_cli.domain.errors import DeferError, ExecutionNotFound
from defer_cli.domain.execution import Execution
from defer_cli.store.contract import Reader

T = TypeVar("T")


class Reports:
    """Questions about the store, answered off the loop; the same questions travel over the socket by name."""

    def __init__(self, reader: Callable[[], Reader]) -> None:
        self._open = reader
        self._reader: Reader | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="defer-reports")

    async def ask(self, name: str, parameters: Mapping[str, Any]) -> Any:
        """Answer the question ``name`` as plain data; raise ``DeferError`` when there is no such question."""
        answer = QUESTIONS.get(name)
        if answer is None:
            raise DeferError(f"there is no question {name!r}", mend="use one version of defer everywhere")
        return await self.read(lambda reader: answer(reader, **parameters))

    async def read(self, question: Callable[[Reader], T]) -> T:
        """Return what ``question`` reads."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._read, question)

    def _read(self, question: Callable[[Reader], T]) -> T:
        if self._reader is None:
            self._reader = self._open()
        return question(self._reader)

    def close(self) -> None:
        """Close the connection; questions on their way are answered first."""
        if self._reader is not None:
            self._thread.submit(self._reader.close)
        self._thread.shutdown(wait=True)


def last_executions(reader: Reader) -> dict[str, Any]:
    """Return the newest execution of each function."""
    return {name: as_data(execution) for name, execution in reader.last_executions().items()}


def execution(reader: Reader, id: str) -> dict[str, Any]:
    """Return one execution; raise ``ExecutionNotFound``."""
    found = reader.get(id)
    if found is None:
        raise ExecutionNotFound(f"no execution has the id {id!r}", mend="see `defer list`")
    return as_data(found)


def children(reader: Reader, id: str) -> dict[str, int]:
    """Return how many children of an execution are in each state."""
    return {str(state): count for state, count in reader.count_children(id).items()}


def ending(reader: Reader, id: str) -> dict[str, Any]:
    """Return an execution with its result and error as JSON texts, None where there is none."""
    found = execution(reader, id)
    _, result, error = reader.payload(id) or (b"[]", None, None)
    return found | {"result": result and result.decode(), "error": error and error.decode()}


def log(reader: Reader, id: str, attempt: int | None = None) -> list[list[Any]]:
    """Return what an execution printed: ``[attempt, microseconds, stream, text]`` a line.

    Over a socket ask for one ``attempt`` at a time: the log of many may be larger than a frame.
    """
    return [[line.attempt, line.at_us, line.stream, line.text] for line in reader.log_lines(id, attempt=attempt)]


QUESTIONS: Mapping[str, Callable[..., Any]] = {
    "last_executions": last_executions,
    "execution": execution,
    "children": children,
    "ending": ending,
    "log": log,
}


def as_data(found: Execution) -> dict[str, Any]:
    """Return an execution as plain data, moments as RFC 3339 texts."""
    data: dict[str, Any] = msgspec.to_builtins(found)
    return data
