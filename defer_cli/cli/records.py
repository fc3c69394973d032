"""What `defer run` writes: one logfmt or JSON line an event, a batch of them in one write."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

from defer_cli.cli.failures import show_problems
from defer_cli.cli.output import cut
from defer_cli.cli.sink import Sink
from defer_cli.domain.execution import to_moment
from defer_cli.domain.visible import visible
from defer_cli.engine.events import Aborting, LeftQueue, WorkerDied

if TYPE_CHECKING:
    from defer_cli.assembly import Banner
    from defer_cli.domain.function import FunctionSpec, Problem
    from defer_cli.domain.settings import LogFormat
    from defer_cli.domain.settle import Move
    from defer_cli.engine.events import Event

Fields = Mapping[str, object]
_LONGEST_ERROR = 4_000
_SLOW = "nothing took them for a while"
_MESSAGES = {
    "succeed": ("info", "execution succeeded"),
    "fail": ("error", "execution failed"),
    "retry": ("warning", "execution will be retried"),
    "interrupt": ("warning", "execution interrupted"),
    "aborted": ("warning", "execution aborted"),
}


class RecordLog:
    """Writes what a runner does as records; see ``Sink`` for readers who are slow or hang up."""

    def __init__(self, stream: TextIO, log_format: LogFormat) -> None:
        self._record, self._success = _FORMATS[log_format]
        self._sink = Sink(
            stream, dropped=lambda count: self._record("warning", "records dropped", {"count": count, "cause": _SLOW})
        )

    def settled(self, moves: Sequence[Move]) -> None:
        """Write a record for each attempt that has ended."""
        success = self._success
        self._sink.write("".join([success(move) if move.name == "succeed" else self._ended(move) for move in moves]))

    def _ended(self, move: Move) -> str:
        level, message = _MESSAGES[move.name]
        fields: dict[str, object] = {"function": move.function, "id": move.id, "attempt": move.attempt}
        if move.started_us:
            fields["duration"] = Seconds(move.at_us - move.started_us)
        if move.name == "retry" and move.scheduled_us is not None:
            fields |= {"retry": move.charged, "in": Seconds(move.scheduled_us - move.at_us)}
        error = move.error
        if error is not None:
            fields["code"] = str(error.code)
            fields["error"] = cut(f"{error.type}: {error.message}" if error.message else error.type, _LONGEST_ERROR)
            if error.location:
                fields["where"] = error.location
        return self._record(level, message, fields)

    def tell(self, event: Event) -> None:
        """Write a record of something else that has happened."""
        if isinstance(event, LeftQueue):
            self.write("info", f"execution {event.state}", {"function": event.function, "id": event.id})
        elif isinstance(event, Aborting):
            fields = {"function": event.function, "id": event.id, "attempt": event.attempt}
            self.write("info", "execution aborting", fields)
        elif isinstance(event, WorkerDied):
            self.write("error", "worker died", {"pid": event.pid, "cause": event.cause, "running": event.running})
        else:
            self.write(event.level, event.message, event.fields)

    def ready(self, banner: Banner) -> None:
        """Write that the runner is up, and what it is."""
        fields: dict[str, object] = {
            "version": banner.version,
            "pid": banner.pid,
            "store": str(banner.store),
            "workers": banner.workers,
            "slots": banner.slots,
            "functions": banner.functions,
            "problems": banner.problems,
        }
        if banner.url is not None:
            fields["url"] = banner.url
        if banner.next_cron is not None:
            name, moment_us = banner.next_cron
            fields |= {"next_cron": name, "next_at": to_moment(moment_us).strftime("%Y-%m-%dT%H:%M:%SZ")}
        self.write("info", "runner ready", fields)

    def functions(self, functions: Mapping[str, FunctionSpec]) -> None:
        """Records name what they are about: nothing to keep."""

    def problems(self, problems: Sequence[Problem]) -> None:
        """Show breaches of the folder's rule and warnings, on stderr."""
        show_problems(problems)

    def write(self, level: str, message: str, fields: Fields) -> None:
        """Write one record."""
        self._sink.write(self._record(level, message, fields))

    def flush(self) -> None:
        """Wait a moment until all records are written."""
        self._sink.flush()


class Seconds(int):
    """A span in microseconds, written as seconds."""


def _logfmt(level: str, message: str, fields: Fields) -> str:
    parts = [f'level={level} message="{_escaped(message)}"']
    parts += [f"{name}={_logfmt_value(value)}" for name, value in fields.items()]
    return " ".join(parts) + "\n"


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


def _logfmt_success(move: Move) -> str:
    return (
        f'level=info message="execution succeeded" function={move.function} id={move.id} '
        f"attempt={move.attempt} duration={(move.at_us - move.started_us) / 1e6:.6f}s\n"
    )


def _json(level: str, message: str, fields: Fields) -> str:
    plain = {name: value / 1e6 if isinstance(value, Seconds) else value for name, value in fields.items()}
    return json.dumps({"level": level, "message": message, **plain}, default=str) + "\n"


def _json_success(move: Move) -> str:
    return (
        f'{{"level": "info", "message": "execution succeeded", "function": "{move.function}", "id": "{move.id}", '
        f'"attempt": {move.attempt}, "duration": {(move.at_us - move.started_us) / 1e6:.6f}}}\n'
    )


_FORMATS: dict[LogFormat, tuple[Callable[[str, str, Fields], str], Callable[[Move], str]]] = {
    "logfmt": (_logfmt, _logfmt_success),
    "json": (_json, _json_success),
}
