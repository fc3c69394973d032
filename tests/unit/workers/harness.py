"""A worker without a process: attempts on a pipe that keeps what is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from defer_cli.link.frames import CancelItem, FrameError, Logs, OutcomeItem, Outcomes, StartItem, encode_frame
from defer_cli.workers.attempts import Attempts

PROJECT = "/project"
_DEADLINE_SECONDS = 10


class FakePipe:
    """Keeps frames, each in the size it would travel."""

    def __init__(self) -> None:
        self.frames: list[Struct] = []
        self.sizes: list[int] = []
        self._sent = asyncio.Event()

    def send(self, message: Struct) -> None:
        self.sizes.append(len(encode_frame(message)))
        self.frames.append(message)
        self._sent.set()

    @property
    def outcomes(self) -> list[OutcomeItem]:
        return [item for frame in self.frames if isinstance(frame, Outcomes) for item in frame.items]

    def lines(self, seq: int = 1) -> list[tuple[str, str]]:
        """Return (stream, text) of what an attempt has printed."""
        chunks = [chunk for frame in self.frames if isinstance(frame, Logs) for chunk in frame.chunks]
        return [
            (stream, text)
            for chunk in sorted((c for c in chunks if c.seq == seq), key=lambda chunk: chunk.part)
            for _, stream, text in msgspec.msgpack.decode(chunk.lines)
        ]

    async def until(self, is_there: Callable[[], bool]) -> None:
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while not is_there():
                self._sent.clear()
                await self._sent.wait()


class Bench:
    """Runs functions as a worker would."""

    def __init__(self, *functions: Callable[..., Any], project: str = PROJECT) -> None:
        self.pipe = FakePipe()
        numbered = dict(enumerate(functions))
        names = {number: function.__name__ for number, function in numbered.items()}
        self.attempts = Attempts(asyncio.get_running_loop(), self.pipe, numbered, names, project=project)

    def start(self, *arguments: bytes | None, function: int = 0, attempt: int = 1, seq: int = 1) -> None:
        self.attempts.start(
            [
                StartItem(seq + position, f"id{seq + position}", attempt, function, given, 0)
                for position, given in enumerate(arguments)
            ]
        )

    def cancel(self, seq: int = 1, *, attempt: int = 1) -> None:
        self.attempts.cancel([CancelItem(seq, attempt)])

    async def outcome(self, seq: int = 1) -> OutcomeItem:
        await self.pipe.until(lambda: any(item.seq == seq for item in self.pipe.outcomes))
        (found,) = [item for item in self.pipe.outcomes if item.seq == seq]
        return found

    async def error(self, seq: int = 1) -> FrameError:
        error = (await self.outcome(seq)).error
        assert error is not None
        return error
