"""The forms of a record: logfmt and JSON, each one line, with its time or without."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from defer_cli.domain.execution import second_text
from defer_cli.domain.visible import visible

if TYPE_CHECKING:
    from defer_cli.domain.settings import LogFormat
    from defer_cli.domain.settle import Move

Fields = Mapping[str, object]
_SECOND_US = 1_000_000


class Seconds(int):
    """A span in microseconds, written as seconds."""


class SpanTexts(dict[int, str]):
    """Spans in microseconds, written as seconds: many of a batch are alike, and one takes as long as the rest."""

    def __missing__(self, span_us: int) -> str:
        text = self[span_us] = f"{span_us / 1e6:.6f}"
        return text


class Form(Protocol):
    """Writes records; ``at_us`` is when what they tell has happened."""

    def record(self, at_us: int, level: str, message: str, fields: Fields) -> str:
        """Return any record."""

    def success(self, move: Move, spans: SpanTexts) -> str:
        """Return the record that most of them are, as ``record`` would write it."""


class Logfmt:
    """``level=info message="…" name=value``, quoted where it must be."""

    def __init__(self, *, has_time: bool) -> None:
        self._has_time = has_time

    def record(self, at_us: int, level: str, message: str, fields: Fields) -> str:
        """Return any record."""
        parts = [f'{self._begin(at_us)}level={level} message="{_escaped(message)}"']
        parts += [f"{name}={_logfmt_value(value)}" for name, value in fields.items()]
        return " ".join(parts) + "\n"

    def success(self, move: Move, spans: SpanTexts) -> str:
        """Return the record of a success."""
        return (
            f'{self._begin(move.at_us)}level=info message="execution succeeded" function={move.function} id={move.id} '
            f"attempt={move.attempt} duration={spans[move.at_us - move.started_us]}s\n"
        )

    def _begin(self, at_us: int) -> str:
        return f"time={_rfc3339(at_us)} " if self._has_time else ""


class Json:
    """One JSON object a line, in ASCII; spans are numbers of seconds."""

    def __init__(self, *, has_time: bool) -> None:
        self._has_time = has_time

    def record(self, at_us: int, level: str, message: str, fields: Fields) -> str:
        """Return any record."""
        plain = {name: value / 1e6 if isinstance(value, Seconds) else value for name, value in fields.items()}
        whole = json.dumps({"level": level, "message": message, **plain}, default=str)
        return f"{{{self._begin(at_us)}{whole[1:]}\n"

    def success(self, move: Move, spans: SpanTexts) -> str:
        """Return the record of a success."""
        return (
            f'{{{self._begin(move.at_us)}"level": "info", "message": "execution succeeded", '
            f'"function": "{move.function}", "id": "{move.id}", "attempt": {move.attempt}, '
            f'"duration": {spans[move.at_us - move.started_us]}}}\n'
        )

    def _begin(self, at_us: int) -> str:
        return f'"time": "{_rfc3339(at_us)}", ' if self._has_time else ""


def form_of(log_format: LogFormat, *, has_time: bool | None) -> Form:
    """Return the form that was asked for; left open, JSON has the time and logfmt, whose lines are stamped, has not."""
    if log_format == "json":
        return Json(has_time=has_time is not False)
    return Logfmt(has_time=bool(has_time))


def _rfc3339(at_us: int) -> str:
    """Return a moment in UTC, in microseconds (RFC 3339)."""
    second, rest = divmod(at_us, _SECOND_US)
    return f"{second_text(second)}.{rest:06d}Z"


def _logfmt_value(value: object) -> str:
    if isinstance(value, Seconds):
        return f"{value / 1e6:.6f}s"
    if isinstance(value, bool | int | float):
        return str(value)
    text = str(value)
    if text.isascii() and text.isprintable() and text and not any(letter in ' "=\\' for letter in text):
        return text
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return visible(text.replace("\\", "\\\\").replace('"', '\\"'))
