"""What `defer dev` shows: a banner, then one line a person can read for each event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TextIO

from defer_cli.cli.check import count_problems, counted
from defer_cli.cli.failures import show_problems
from defer_cli.cli.output import cut, distance_words, linked, moment_words, say, styled
from defer_cli.cli.sink import Sink
from defer_cli.domain.duration import in_words
from defer_cli.domain.execution import to_moment
from defer_cli.domain.visible import visible
from defer_cli.engine.events import Aborting, LeftQueue, Logged, Reloaded, Started, WorkerDied

if TYPE_CHECKING:
    from defer_cli.domain.execution import ExecutionError
    from defer_cli.domain.function import FunctionSpec, Problem
    from defer_cli.domain.settle import Move
    from defer_cli.engine.banner import Banner
    from defer_cli.engine.events import Event

_LONGEST_ERROR = 300
_SECOND_US = 1_000_000
_COLOURS = {"succeed": "green", "fail": "red", "retry": "yellow", "interrupt": "yellow", "aborted": "yellow"}
_WORDS = {"retry": "failed", "interrupt": "interrupted, runs again"}
_LEVELS = {"error": "red", "warning": "yellow"}
_WIDEST_NAME, _OUTCOME_WIDTH, _SPAN_WIDTH = 40, len("succeed"), len("59.99 s")


class HumanLog:
    """Writes for a person at a terminal; times are those of the clock on the wall."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._sink = Sink(stream, dropped=_dropped)
        self._functions: Mapping[str, FunctionSpec] = {}
        self._shown: Sequence[Problem] = ()
        self._url: str | None = None

    def ready(self, banner: Banner) -> None:
        """Say that the runner is up, and what it is."""
        self._url = banner.url
        problems = f", {counted(banner.problems, 'problem')}" if banner.problems else ""
        lines = [
            styled(f"defer {banner.version}", "bold", self._stream) + f" is ready (pid {banner.pid})",
            *([f"  console    {linked(banner.url, banner.url, self._stream)}"] if banner.url else []),
            f"  store      {visible(str(banner.store))}",
            f"  workers    {banner.workers}, {counted(banner.slots, 'slot')} each",
            f"  functions  {banner.functions}{problems}",
        ]
        if banner.next_cron is not None:
            name, moment_us = banner.next_cron
            moment = to_moment(moment_us)
            lines.append(
                f"  next cron  {name} at {moment_words(moment)}, {distance_words(moment, now=datetime.now(UTC))}"
            )
        self._write("\n".join(lines))

    def functions(self, functions: Mapping[str, FunctionSpec]) -> None:
        """Know the functions that run from now on: a retry is told with how many there are."""
        self._functions = functions

    def problems(self, problems: Sequence[Problem]) -> None:
        """Show breaches of the folder's rule and warnings that are new, on stderr; of the others, how many are left."""
        self.flush()  # what has been said comes first, though it goes elsewhere
        show_problems([problem for problem in problems if problem not in self._shown])
        if any(problem not in problems for problem in self._shown):
            say(f"{count_problems(tuple(problems))} left")
        self._shown = problems

    def settled(self, moves: Sequence[Move]) -> None:
        """Write a line for each attempt that has ended."""
        self._write("\n".join([self._ended(move) for move in moves]))

    def tell(self, event: Event) -> None:
        """Write a line about something else that has happened."""
        now = _clock(datetime.now(UTC))
        if isinstance(event, LeftQueue):
            self._write(f"{now}  {visible(event.function)}  {event.state} before it ran  {self._id(event.id)}")
        elif isinstance(event, Started):
            self._write(f"{now}  {visible(event.function)}  attempt {event.attempt}  has started  {self._id(event.id)}")
        elif isinstance(event, Aborting):
            self._write(
                f"{now}  {visible(event.function)}  attempt {event.attempt}  is being aborted  {self._id(event.id)}"
            )
        elif isinstance(event, WorkerDied):
            words = f"worker {event.pid} {event.cause}; {counted(event.running, 'execution')} in it"
            self._write(f"{now}  {styled(visible(words), 'red', self._stream)}")
        elif isinstance(event, Reloaded):
            span = in_words(timedelta(seconds=event.seconds))
            self._write(f"{now}  {visible(f'changed {event.changed} → {event.outcome} ({span})')}")
        elif isinstance(event, Logged):
            told = {"logger": event.logger, "error": event.error}
            fields = {name: value for name, value in told.items() if value is not None}
            self._write(f"{now}  {self._noted(event.level, event.text, fields)}")
        else:
            self._write(f"{now}  {self._noted(event.level, event.message, event.fields)}")

    def _noted(self, level: str, message: str, fields: Mapping[str, object]) -> str:
        told = ", ".join(f"{name}: {_told_value(value)}" for name, value in fields.items())
        words = f"{visible(message)} ({told})" if told else visible(message)
        return styled(words, _LEVELS[level], self._stream) if level in _LEVELS else words

    def _ended(self, move: Move) -> str:
        width = min(max(map(len, self._functions), default=0), _WIDEST_NAME)
        outcome = f"{_WORDS.get(move.name, move.target):<{_OUTCOME_WIDTH}}"
        parts = [_clock(to_moment(move.at_us)), f"{move.function:<{width}}", f"attempt {move.attempt}"]
        parts.append(styled(outcome, _COLOURS[move.name], self._stream))
        if move.started_us:
            parts.append(f"{in_words(timedelta(microseconds=move.at_us - move.started_us)):>{_SPAN_WIDTH}}")
        parts.append(styled(self._id(move.id), "dim", self._stream))
        if move.error is not None:
            parts.append(_told(move.error))
        if move.name == "retry" and move.scheduled_us is not None:
            parts.append(self._retried(move, move.scheduled_us))
        return "  ".join(parts)

    def _id(self, id: str) -> str:
        """Return an id that leads to its page in the console."""
        return linked(id, None if self._url is None else f"{self._url}/executions/{id}", self._stream)

    def _retried(self, move: Move, scheduled_us: int) -> str:
        spec = self._functions.get(move.function)
        total = f" of {spec.options.retry.max_attempts}" if spec is not None else ""
        wait = timedelta(seconds=round((scheduled_us - move.at_us) / _SECOND_US))
        return f"retry {move.charged}{total} in {in_words(wait)} ({_clock(to_moment(scheduled_us))})"

    def flush(self) -> None:
        """Wait a moment until all lines are written."""
        self._sink.flush()

    def _write(self, text: str) -> None:
        if text:
            self._sink.write(text + "\n")


def _dropped(count: int) -> str:
    return f"{counted(count, 'line')} dropped: nothing took them for a while\n"


def _told(error: ExecutionError) -> str:
    message = cut(visible(error.message), _LONGEST_ERROR)
    words = f"{visible(error.type)}: {message}" if message else visible(error.type)
    return f"{words} ({visible(error.location)})" if error.location else words


def _told_value(value: object) -> str:
    text = str(value)
    try:
        moment = datetime.fromisoformat(text) if "T" in text else None
    except ValueError:
        moment = None
    return visible(cut(text, _LONGEST_ERROR)) if moment is None else moment_words(moment)


def _clock(moment: datetime) -> str:
    return moment.astimezone().strftime("%H:%M:%S")
