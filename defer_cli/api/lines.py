"""The lines of a log as answers carry them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from defer_cli.api.shapes import MomentText, moment_text
from defer_cli.web.reading import Part


class LineObject(Struct, kw_only=True):
    """One line that an attempt printed; a moment of None: it is not known."""

    attempt: int
    at: MomentText | None
    stream: str
    text: str


def line_objects(parts: Sequence[Part]) -> list[LineObject]:
    """Return lines as answers carry them."""
    return [
        LineObject(attempt=attempt, at=moment_text(at_us) if at_us else None, stream=stream, text=text)
        for attempt, _, lines in parts
        for at_us, stream, text in lines
    ]
