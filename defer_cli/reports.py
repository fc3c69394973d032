"""What callers ask: short reads on connections that cannot write, answered as plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from defer_cli.domain.errors import DeferError, ExecutionNotFound
from defer_cli.domain.execution import Attempt, Execution, to_microseconds
from defer_cli.domain.paging import Filters, Page, PageInfo, cursor_at, position_of
from defer_cli.domain.states import State
from defer_cli.domain.ticks import CHANGED, FIRST_SEEN, PAUSED
from defer_cli.figures import FIGURES, read_asked
from defer_cli.link.frames import LARGEST_FRAME
from defer_cli.store.contract import Reader

T = TypeVar("T")
_WEEK_US = 7 * 86_400 * 1_000_000
_RETRIES_LOOKED_AT = 10_000
_WAITING_LOOKED_AT = 20_000
_MOST_LOG_BYTES = 1024 * 1024
_LARGEST_ANSWER = LARGEST_FRAME - 256 * 1024
_PLAIN_EXECUTION_BYTES = 2_000
_NEWEST_TICKS = 50
_GAP_KINDS = {PAUSED: "skipped", FIRST_SEEN: "new", CHANGED: "new"}


class Reports:
    """Questions about the store, answered off the loop; the same questions travel over the socket by name."""

    def __init__(self, reader: Callable[[], Reader], *, wait_for_disk: Callable[[], None] = lambda: None) -> None:
        """``wait_for_disk`` returns once what was read is on disk: nobody is told of what could be undone."""
        self._open = reader
        self._wait_for_disk = wait_for_disk
        self._reader: Reader | None = None
        from concurrent.futures import ThreadPoolExecutor  # commands put questions without it, and start sooner

        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="defer-reports")

    async def ask(self, name: str, parameters: Mapping[str, Any]) -> Any:
        """Answer the question ``name`` as plain data; raise ``DeferError`` when there is no such question."""
        answer = _question(name)
        return await self.read(lambda reader: answer(reader, **parameters))

    async def read(self, question: Callable[[Reader], T]) -> T:
        """Return what ``question`` reads."""
        from asyncio import get_running_loop

        return await get_running_loop().run_in_executor(self._thread, self._read, question)

    def _read(self, question: Callable[[Reader], T]) -> T:
        if self._reader is None:
            self._reader = self._open()
        answer = question(self._reader)
        self._wait_for_disk()
        return answer

    def close(self) -> None:
        """Close the connection; questions on their way are answered first."""
        if self._reader is not None:
            self._thread.submit(self._reader.close)
        self._thread.shutdown(wait=True)


def last_executions(reader: Reader) -> dict[str, Any]:
    """Return the newest execution of each function."""
    return {name: as_data(execution) for name, execution in reader.last_executions().items()}


def counts(reader: Reader) -> dict[str, dict[str, int]]:
    """Return how many executions each function has in each state, those above 0."""
    told: dict[str, dict[str, int]] = {}
    for (function, state), count in reader.counts().items():
        told.setdefault(function, {})[str(state)] = count
    return told


def waiting(reader: Reader, now_us: int) -> dict[str, dict[str, int]]:
    """Return what waits of each function: ``due`` now, due ``later``, ``unsure`` where too many are of either kind."""
    return {
        function: {"due": found.due, "later": found.later, "unsure": found.unsure}
        for function, found in reader.count_waiting(now_us=now_us, limit=_WAITING_LOOKED_AT).items()
    }


def execution(reader: Reader, id: str) -> dict[str, Any]:
    """Return one execution, or one attempt of it as an execution; raise ``ExecutionNotFound``."""
    return as_data(_found(reader, id))


def executions(reader: Reader, page: Mapping[str, Any], filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page of executions, newest first: their data and the information about the page."""
    asked, wanted = read_asked(page, Page), read_asked(filters, Filters)
    after, before = _position(asked, "after"), _position(asked, "before")
    found = reader.find(wanted, limit=asked.size + 1, after=after, before=before, is_backward=asked.is_backward)
    items, stopped_at = found.items, found.stopped_at
    has_more = len(items) > asked.size
    if has_more:
        stopped_at = None
        items = items[1:] if asked.is_backward else items[: asked.size]
    fitting = _fitting(items, lambda item: _bytes_of(item[1]), is_backward=asked.is_backward)
    if len(fitting) < len(items):
        items, has_more, stopped_at = fitting, True, None
    has_more = has_more or stopped_at is not None
    ends = [place for place, _ in items]
    if stopped_at is not None:
        ends.insert(0 if asked.is_backward else len(ends), stopped_at)
    info = PageInfo(
        has_next_page=before is not None if asked.is_backward else has_more,
        has_prev_page=has_more if asked.is_backward else after is not None,
        start_cursor=cursor_at(ends[0]) if ends else None,
        end_cursor=cursor_at(ends[-1]) if ends else None,
    )
    return {"items": [as_data(one) for _, one in items], "page_info": msgspec.to_builtins(info)}


def attempts(reader: Reader, id: str, page: Mapping[str, Any], filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page of the attempts of an execution, newest first; raise ``ExecutionNotFound``."""
    execution(reader, id)
    whole, dot, _ = id.partition(".")
    if dot:
        raise ExecutionNotFound(f"{id} is one attempt and has none of its own", mend=f"use {whole}")
    asked, wanted = read_asked(page, Page), read_asked(filters, Filters)
    after, before = _position(asked, "after"), _position(asked, "before")
    found = [
        one
        for one in reversed(reader.attempts(id))
        if (after is None or one.number < after) and (before is None or one.number > before) and _passes(one, wanted)
    ]
    items = found[-asked.size :] if asked.is_backward else found[: asked.size]
    items = _fitting(items, lambda one: len(msgspec.msgpack.encode(one)), is_backward=asked.is_backward)
    has_more = len(found) > len(items)
    info = PageInfo(
        has_next_page=before is not None if asked.is_backward else has_more,
        has_prev_page=has_more if asked.is_backward else after is not None,
        start_cursor=cursor_at(items[0].number) if items else None,
        end_cursor=cursor_at(items[-1].number) if items else None,
    )
    return {"items": msgspec.to_builtins(items), "page_info": msgspec.to_builtins(info)}


def arguments(reader: Reader, id: str) -> str:
    """Return the arguments of an execution as a JSON text; raise ``ExecutionNotFound``."""
    found = reader.payload(id)
    if found is None:
        raise ExecutionNotFound(f"no execution has the id {id!r}", mend="see `defer executions`")
    return found[0].decode()


def previews(reader: Reader, ids: Sequence[str], most: int) -> dict[str, dict[str, Any]]:
    """Return the ``arguments`` of executions as JSON texts and their length in ``bytes``, by id.

    Those of more than ``most`` bytes are None: a JSON text that is cut cannot be read, and so hides no secrets.
    """
    return {
        id: {"arguments": None if found is None else found.decode(), "bytes": size}
        for id, (found, size) in reader.previews(ids, most=most).items()
    }


def children(reader: Reader, id: str) -> dict[str, int]:
    """Return how many children of an execution are in each state."""
    return {str(state): count for state, count in reader.count_children(id).items()}


def ending(reader: Reader, id: str) -> dict[str, Any]:
    """Return an execution, or an attempt, with its result and error as JSON texts, None where there is none."""
    found = execution(reader, id)
    whole = id.partition(".")[0]
    _, result, error = reader.payload(whole) or (b"[]", None, None)
    if id != whole:
        (attempt,) = [one for one in reader.attempts(whole) if one.id == id]
        result = result if attempt.state is State.SUCCEED else None
        error = None if attempt.error is None else msgspec.json.encode(attempt.error)
    return found | {"result": result and result.decode(), "error": error and error.decode()}


def log(reader: Reader, id: str, attempt: int | None = None) -> list[list[Any]]:
    """Return what an execution printed: ``[attempt, microseconds, stream, text]`` a line.

    Over a socket ask for one ``attempt`` at a time: the log of many may be larger than a frame.
    """
    return [[line.attempt, line.at_us, line.stream, line.text] for line in reader.log_lines(id, attempt=attempt)]


def health(reader: Reader, now_us: int) -> dict[str, Any]:
    """Return what tells whether the store is well: its runner, its newest moment, what is due and since when."""
    newest = reader.find(Filters(), limit=1).items
    return health_of_older(reader, now_us) | {
        "newest_us": to_microseconds(newest[0][1].updated_at) if newest else None,
        "due": reader.count_due(now_us=now_us),
        "oldest_due_us": reader.oldest_due_us(now_us=now_us),
        "retention": msgspec.to_builtins(reader.last_round()),
        "coming_retries": reader.count_coming_retries(now_us=now_us, limit=_RETRIES_LOOKED_AT),
    }


def health_of_older(reader: Reader, now_us: int) -> dict[str, Any]:
    """Return what of it a database of an older version tells: the rest is asked by what only the newest schema has."""
    unknown = dict.fromkeys(("newest_us", "due", "oldest_due_us", "retention", "coming_retries"))
    return unknown | {
        "schema": reader.schema_version(),
        "runner": msgspec.to_builtins(reader.last_runner()),
        "counts": counts(reader),
        "alerts": alerts(reader, now_us),
    }


def alerts(reader: Reader, now_us: int) -> dict[str, Any]:
    """Return how many alerts wait, since when, how many were given up in the last week, and what they ran into."""
    told: dict[str, Any] = msgspec.to_builtins(reader.undelivered(since_us=now_us - _WEEK_US))
    return told


def oldest_due(reader: Reader, now_us: int) -> int | None:
    """Return since when the execution that is due longest waits, in microseconds since 1970; None: nothing is due."""
    return reader.oldest_due_us(now_us=now_us)


def log_after(
    reader: Reader,
    id: str,
    seen: Sequence[tuple[int, int]] = (),
    attempt: int | None = None,
    most_bytes: int = _MOST_LOG_BYTES,
) -> dict[str, Any]:
    """Return what is new of a log, a frame of it at most, and how the execution or the attempt stands.

    ``parts`` are ``[attempt, number, lines]`` with ``[microseconds, stream, text]`` a line; ``seen`` holds (attempt,
    number of its last part). No parts: there is no more for now. Raises ``ExecutionNotFound``.
    """
    found = _found(reader, id if attempt is None else f"{id}.{attempt}")
    parts = reader.log_after(id, dict(seen), attempt=attempt, most_bytes=min(most_bytes, _MOST_LOG_BYTES))
    return {
        "function": found.function,
        "state": str(found.state),
        "parts": [
            [part.attempt, part.number, [[line.at_us, line.stream, line.text] for line in part.lines]] for part in parts
        ],
    }


def paused(reader: Reader) -> dict[str, int]:
    """Return since when crons are paused, by function, in microseconds since 1970."""
    return reader.paused()


def ticks(reader: Reader, function: str, limit: int = _NEWEST_TICKS) -> dict[str, Any]:
    """Return the newest ticks of a cron that were ``fired``, and its newest ``gaps``, in microseconds since 1970.

    The ``kind`` of a gap: ``missed``, ``skipped`` in a pause, or ``new`` where a new schedule owes nothing.
    ``paused_since`` is None for a cron that is not paused.
    """
    return {
        "paused_since": reader.paused().get(function),
        "fired": reader.ticks(function, limit=limit),
        "gaps": [
            {"kind": _GAP_KINDS.get(gap.reason, "missed"), "after": gap.after_us, "until": gap.until_us}
            | {"reason": gap.reason}
            for gap in reader.gaps(function, limit=limit)
        ],
    }


def several(reader: Reader, questions: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Any]:
    """Return the answers of several questions, each its name and its parameters, at the cost of one way here."""
    return [_question(name)(reader, **parameters) for name, parameters in questions]


def _question(name: str) -> Callable[..., Any]:
    answer = QUESTIONS.get(name)
    if answer is None:
        raise DeferError(f"there is no question {name!r}", mend="use one version of defer everywhere")
    return answer


QUESTIONS: Mapping[str, Callable[..., Any]] = {
    "several": several,
    "paused": paused,
    "ticks": ticks,
    "last_executions": last_executions,
    "counts": counts,
    "waiting": waiting,
    "execution": execution,
    "executions": executions,
    "attempts": attempts,
    "arguments": arguments,
    "previews": previews,
    "children": children,
    "ending": ending,
    "log": log,
    "log_after": log_after,
    "oldest_due": oldest_due,
    "health": health,
    "alerts": alerts,
    **FIGURES,
}


def as_execution(whole: Execution, attempt: Attempt) -> Execution:
    """Return one attempt as an execution of its own, ``<id>.<number>``."""
    return msgspec.structs.replace(
        whole,
        id=attempt.id,
        state=attempt.state,
        attempt=attempt.number,
        scheduled_at=attempt.scheduled_at,
        started_at=attempt.started_at,
        finished_at=attempt.finished_at,
        updated_at=attempt.finished_at or whole.updated_at,
        error_code=attempt.error.code if attempt.error else None,
    )


def _found(reader: Reader, id: str) -> Execution:
    whole, _, number = id.partition(".")
    found = reader.get(whole)
    if found is not None and number:
        found = next((as_execution(found, one) for one in reader.attempts(whole) if one.id == id), None)
    if found is None:
        raise ExecutionNotFound(f"no execution has the id {id!r}", mend="see `defer executions`")
    return found


def _fitting(items: list[T], bytes_of: Callable[[T], int], *, is_backward: bool) -> list[T]:
    """Return as many items of a page as one frame holds, from the end where the page begins; one at least."""
    room = _LARGEST_ANSWER
    for count, item in enumerate(reversed(items) if is_backward else items):
        room -= bytes_of(item)
        if room < 0 and count:
            return items[-count:] if is_backward else items[:count]
    return items


def _bytes_of(found: Execution) -> int:
    """Return what an execution takes in a frame, or a little more; only its metadata may be large."""
    return _PLAIN_EXECUTION_BYTES + sum(len(key) + len(value) + 6 for key, value in found.metadata.items())


def _passes(attempt: Attempt, filters: Filters) -> bool:
    code = attempt.error.code if attempt.error else None
    return (
        (not filters.states or attempt.state in filters.states)
        and (not filters.error_codes or code in filters.error_codes)
        and attempt.scheduled_at in filters.scheduled_at
        and attempt.started_at in filters.started_at
    )


def _position(page: Page, name: str) -> int | None:
    cursor = getattr(page, name)
    return None if cursor is None else position_of(cursor, where=f"page.{name}")


def as_data(found: Execution) -> dict[str, Any]:
    """Return an execution as plain data, moments as RFC 3339 texts."""
    data: dict[str, Any] = msgspec.to_builtins(found)
    return data
