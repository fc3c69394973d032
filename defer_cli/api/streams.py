"""Logs as server-sent events: from the last one a caller has seen until the execution has ended."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Mapping, Sequence

from defer_cli.api.failures import Refusal
from defer_cli.api.lines import line_objects
from defer_cli.web.event_streams import KEEP_ALIVE, KEEP_ALIVE_SECONDS, EventStream, Say, event
from defer_cli.web.open_streams import OpenStreams
from defer_cli.web.reading import Part, Reading

ENDED = "end"
"""The id of the last event: who comes back with it is told that there is nothing more."""
_LOOK_SECONDS = 0.25
_LATE_SECONDS = 1.0  # an outcome is written before the last lines of its log
_SEEN = re.compile(r"\d{1,9}:\d{1,9}(?:,\d{1,9}:\d{1,9}){0,999}", re.ASCII)


class LogStream(EventStream):
    """The events of one log: lines as they come, then how the execution ended."""

    def __init__(self, streams: OpenStreams, reading: Reading, first: Sequence[Part]) -> None:
        super().__init__(streams, self._follow)
        self._reading = reading
        self._first = first

    async def _follow(self, say: Say) -> None:
        clock = asyncio.get_running_loop().time
        reading, parts = self._reading, self._first
        said_at, ended_at = clock(), 0.0
        while parts or not ended_at or clock() - ended_at < _LATE_SECONDS:
            if parts:
                await say(_log_event(reading.seen, parts))
                said_at, ended_at = clock(), 0.0
            else:
                if reading.has_ended and not ended_at:
                    ended_at = clock()
                if clock() - said_at >= KEEP_ALIVE_SECONDS:
                    await say(KEEP_ALIVE)
                    said_at = clock()
                await asyncio.sleep(_LOOK_SECONDS * random.uniform(0.5, 1.5))  # or a hundred would look at once
            parts = await reading.news()
        await say(event("end", ENDED, {"id": reading.id, "function_name": reading.function, "state": reading.state}))


def seen_of(last: str) -> dict[int, int]:
    """Return what a caller has seen whose last event had this id; raise ``Refusal`` for what is no id of ours."""
    if not last:
        return {}
    if _SEEN.fullmatch(last) is None:
        raise Refusal(400, "it is no id of an event of this stream", where="Last-Event-ID")
    pairs = [pair.split(":") for pair in last.split(",")]
    return {int(attempt): int(number) for attempt, number in pairs}


def _log_event(seen: Mapping[int, int], parts: Sequence[Part]) -> bytes:
    """Return lines as one event. Its id says how far each attempt was told: the last lines of one may come late."""
    return event("log", ",".join([f"{attempt}:{number}" for attempt, number in seen.items()]), line_objects(parts))
