"""What `defer run` writes: one logfmt or JSON line an event, a batch of them in one write; see docs/logs.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import time_ns
from typing import TYPE_CHECKING, TextIO

from defer_cli.cli.failures import show_problems
from defer_cli.cli.output import cut
from defer_cli.cli.record_forms import Fields, Seconds, SpanTexts, form_of
from defer_cli.cli.sink import Sink
from defer_cli.domain.execution import to_moment
from defer_cli.engine.events import Aborting, LeftQueue, Logged, Note, Reloaded, Started

if TYPE_CHECKING:
    from defer_cli.domain.function import FunctionSpec, Problem
    from defer_cli.domain.settings import LogFormat, LogLevel
    from defer_cli.domain.settle import Move
    from defer_cli.engine.banner import Banner
    from defer_cli.engine.events import Event

_LONGEST_TEXT = 4_000
_SLOW = "nothing took them for a while"
_RANKS = {"debug": 0, "info": 1, "warning": 2, "error": 3}
_MESSAGES = {
    "succeed": ("info", "execution succeeded"),
    "fail": ("error", "execution failed"),
    "retry": ("warning", "execution will be retried"),
    "interrupt": ("warning", "execution interrupted"),
    "aborted": ("warning", "execution aborted"),
}


class RecordLog:
    """Writes what a runner does as records, from ``level`` on; what lies below costs nothing.

    ``has_time``: None leaves it to the form. See ``Sink`` for readers who are slow or hang up.
    """

    def __init__(
        self, stream: TextIO, log_format: LogFormat, *, level: LogLevel = "info", has_time: bool | None = None
    ) -> None:
        self._form = form_of(log_format, has_time=has_time)
        self._least = _RANKS[level]
        self._has_successes = self._least <= _RANKS["info"]
        self._sink = Sink(stream, dropped=self._dropped)

    def settled(self, moves: Sequence[Move]) -> None:
        """Write a record for each attempt that has ended."""
        if not self._has_successes:
            moves = [move for move in moves if move.name != "succeed"]
        success, spans, ended = self._form.success, SpanTexts(), self._ended
        lines = [success(move, spans) if move.name == "succeed" else ended(move) for move in moves]
        self._sink.write("".join(lines))

    def _ended(self, move: Move) -> str:
        level, message = _MESSAGES[move.name]
        if _RANKS[level] < self._least:
            return ""
        fields: dict[str, object] = {"function": move.function, "id": move.id, "attempt": move.attempt}
        if move.started_us:
            fields["duration"] = Seconds(move.at_us - move.started_us)
        if move.name == "retry" and move.scheduled_us is not None:
            fields |= {"retry": move.charged, "in": Seconds(move.scheduled_us - move.at_us)}
        error = move.error
        if error is not None:
            fields["code"] = str(error.code)
            fields["error"] = cut(f"{error.type}: {error.message}" if error.message else error.type, _LONGEST_TEXT)
            if error.location:
                fields["where"] = error.location
        return self._form.record(move.at_us, level, message, fields)

    def tell(self, event: Event) -> None:
        """Write a record of something else that has happened."""
        if isinstance(event, LeftQueue):
            self.write("info", f"execution {event.state}", {"function": event.function, "id": event.id})
        elif isinstance(event, Started):
            fields = {"function": event.function, "id": event.id, "attempt": event.attempt, "pid": event.pid}
            self.write("debug", "execution started", fields)
        elif isinstance(event, Aborting):
            fields = {"function": event.function, "id": event.id, "attempt": event.attempt}
            self.write("info", "execution aborting", fields)
        elif isinstance(event, Reloaded):
            fields = {"changed": event.changed, "outcome": event.outcome, "functions": event.functions}
            self.write("info", "functions reloaded", fields | {"duration": Seconds(event.seconds * 1e6)})
        elif isinstance(event, Logged):
            told = {"logger": event.logger, "text": event.text, "error": event.error}
            self.write(event.level, "runner logged", {name: text for name, text in told.items() if text is not None})
        elif isinstance(event, Note):
            self.write(event.level, event.message, event.fields)
        else:
            self.write("error", "worker died", {"pid": event.pid, "cause": event.cause, "running": event.running})

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
        """Write one record, unless it is below the level."""
        if _RANKS[level] >= self._least:
            short = {name: cut(value, _LONGEST_TEXT) if type(value) is str else value for name, value in fields.items()}
            self._sink.write(self._form.record(_now_us(), level, message, short))

    def flush(self) -> None:
        """Wait a moment until all records are written."""
        self._sink.flush()

    def _dropped(self, count: int) -> str:
        return self._form.record(_now_us(), "warning", "records dropped", {"count": count, "cause": _SLOW})


def _now_us() -> int:
    return time_ns() // 1000
