"""`defer logs ID`: what an execution printed, and with -f what it prints from now on."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from defer_cli.cli import completing
from defer_cli.cli.failures import OK, UsageError
from defer_cli.cli.options import Data, Json, Project
from defer_cli.cli.output import say, show_json, styled
from defer_cli.cli.show import not_found, read_id
from defer_cli.domain.errors import ExecutionNotFound, StoreError
from defer_cli.domain.execution import rfc3339, to_moment
from defer_cli.domain.states import FINAL_STATES
from defer_cli.domain.visible import visible

if TYPE_CHECKING:
    from defer_cli.cli.place import DataPlace

_LOOK_SECONDS = 0.2
_LOOK_ALONE_SECONDS = 1.0
_LATE_SECONDS = 1.0  # an outcome is written before the last lines of its log
_LABELS = {"stdout": "out", "stderr": "err", "logging": "log", "defer": "···"}
_STYLES = {"stderr": "yellow", "defer": "dim"}

Id = Annotated[
    str,
    typer.Argument(metavar="ID", autocompletion=completing.ids, help="The execution; ID.N is its N-th attempt alone."),
]
Follow = Annotated[
    bool, typer.Option("--follow", "-f", help="Go on until the execution has ended, over retries and restarts.")
]
Tail = Annotated[int | None, typer.Option("--tail", "-n", min=1, metavar="N", help="Begin with the last N lines.")]


class Line(NamedTuple):
    """One line that an attempt printed."""

    attempt: int
    at_us: int
    stream: str
    text: str


def logs(
    *,
    id: Id,
    follow: Follow = False,
    tail: Tail = None,
    project: Project = None,
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Show what an execution printed and logged: all its attempts, each line with its time (UTC) and stream.

    Exits 0 whatever became of the execution: its state is told on stderr at the end of -f.
    """
    if follow and as_json:
        raise UsageError("--json is one document, and -f has no end yet", mend="leave one of them out")
    from defer_cli.cli.place import find_data

    place = find_data(project, data)
    id, whole, attempt = read_id(id)
    if not place.has_store():
        raise not_found(id)
    reading = _Reading(whole, attempt)
    try:
        lines = _read_whole(place, reading, tail)
        if as_json:
            show_json({"id": id, "function": reading.function, "state": reading.state, "lines": _data(lines)})
            return OK
        printer = _Printer()
        printer.show(lines)
        if follow:
            _follow(place, reading, printer)
            say(f"{visible(reading.function)} {reading.state}")
        elif not printer.has_shown:
            say(_nothing(reading, id))
    except ExecutionNotFound:
        raise not_found(id) from None
    return OK


class _Reading:
    """How far a log was read, and how its execution stood then."""

    def __init__(self, whole: str, attempt: int | None) -> None:
        self.function = ""
        self.state = ""
        self._parameters = {"id": whole, "attempt": attempt}
        self._seen: dict[int, int] = {}

    @property
    def has_ended(self) -> bool:
        """Whether what is read moves no more."""
        return self.state in FINAL_STATES

    def news(self, ask: Callable[..., Any]) -> Iterator[Line]:
        """Read what is new, piece by piece; raises ``ExecutionNotFound``."""
        while True:
            answer = ask("log_after", seen=list(self._seen.items()), **self._parameters)
            self.function, self.state = answer["function"], answer["state"]
            if not answer["parts"]:
                return
            for attempt, number, lines in answer["parts"]:
                self._seen[attempt] = number
                for at_us, stream, text in lines:
                    yield Line(attempt, at_us, stream, text)


def _read_whole(place: DataPlace, reading: _Reading, tail: int | None) -> deque[Line]:
    from defer_cli.cli.access import asking

    with asking(place.data) as ask:
        return deque(reading.news(ask), maxlen=tail)


def _follow(place: DataPlace, reading: _Reading, printer: _Printer) -> None:
    """Show lines as they come until the execution has ended; between two looks the store belongs to others."""
    from defer_cli.cli.access import Gone, asking, reach

    has_said_so = False
    while True:
        line = reach(place.data)
        try:
            if line is not None:
                with line:
                    _listen(line.ask, reading, printer)
                return
            with asking(place.data) as ask:
                printer.show(reading.news(ask))
        except (Gone, StoreError, TimeoutError):  # a runner stops or starts just now
            pass
        else:
            if reading.has_ended:
                return
            if not has_said_so:
                has_said_so = True
                say("no runner is alive; this goes on when one starts (`defer run`)")
        time.sleep(_LOOK_ALONE_SECONDS)


def _listen(ask: Callable[..., Any], reading: _Reading, printer: _Printer) -> None:
    """Show lines of a living runner until the execution has ended and is quiet."""
    ended_at: float | None = None
    while True:
        has_news = printer.show(reading.news(ask))
        if not reading.has_ended or has_news:
            ended_at = None
        elif ended_at is None:
            ended_at = time.monotonic()
        elif time.monotonic() - ended_at >= _LATE_SECONDS:
            return
        time.sleep(_LOOK_SECONDS)


class _Printer:
    """Prints lines under a heading for each attempt and day."""

    def __init__(self) -> None:
        self.has_shown = False
        self._heading = ""

    def show(self, lines: Iterator[Line] | deque[Line]) -> bool:
        """Print lines and return whether there were any."""
        has_any = False
        for line in lines:
            moment = to_moment(line.at_us) if line.at_us else None
            heading = f"attempt {line.attempt}" + (f", {moment:%Y-%m-%d} UTC" if moment else "")
            if heading != self._heading and (moment or not self._heading):
                print(styled(heading, "bold", sys.stdout))
                self._heading = heading
            print(_words(line, moment))
            has_any = self.has_shown = True
        if has_any:
            sys.stdout.flush()
        return has_any


def _words(line: Line, moment: datetime | None) -> str:
    clock = f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}" if moment else " " * 12
    label = f"{_LABELS.get(line.stream) or visible(line.stream):<3}"
    text = visible(line.text.expandtabs())
    style = _STYLES.get(line.stream)
    words = f"{label}  {text}"
    return f"{styled(clock, 'dim', sys.stdout)} {styled(words, style, sys.stdout) if style else words}"


def _data(lines: deque[Line]) -> list[dict[str, Any]]:
    return [
        {
            "attempt": line.attempt,
            "at": rfc3339(to_moment(line.at_us)) if line.at_us else None,
            "stream": line.stream,
            "text": line.text,
        }
        for line in lines
    ]


def _nothing(reading: _Reading, id: str) -> str:
    if reading.state == "created":
        return f"it has not printed anything, and waits to run; follow it with `defer logs -f {visible(id)}`"
    return f"it has not printed anything; its state is {reading.state}"
