"""What an attempt printed, as it travels and as it is kept."""

from __future__ import annotations

from msgspec import Struct


class LogChunk(Struct, array_like=True, gc=False):
    """Lines of one attempt: msgpack ``[[microseconds, stream, text], …]``; ``dropped`` counts those over the cap."""

    seq: int
    attempt: int
    part: int
    lines: bytes
    dropped: int = 0
