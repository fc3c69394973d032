"""One of everything that a runner can tell, and the log that writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from defer_cli.cli.record_forms import SpanTexts
from defer_cli.cli.records import RecordLog
from defer_cli.domain.execution import ExecutionError
from defer_cli.domain.settle import Move
from defer_cli.domain.states import State
from defer_cli.engine.banner import Banner
from defer_cli.engine.events import Aborting, Event, LeftQueue, Logged, Note, Reloaded, Started, WorkerDied

START_US = 1_795_435_964_000_000  # 2026-11-23 12:12:44 UTC
HOSTILE = 'a "b" c=\\d\n\x1b[2J\u2028\x85\ud800 level=error\r\n{"level": "error"}\t\x00é'
"""Text that would begin a line, end a field or move a cursor."""
ERROR = ExecutionError(code="ER0003", type="ValueError", message=HOSTILE, location="src/defer/send.py:7")
TARGETS = {
    "succeed": State.SUCCEED,
    "fail": State.FAILED,
    "retry": State.CREATED,
    "interrupt": State.CREATED,
    "aborted": State.ABORTED,
}


def an_end(name: str, text: str = HOSTILE) -> Move:
    """Return a move with everything that one of its name can have."""
    is_well = name in ("succeed", "aborted")
    where = None if name == "interrupt" else text
    return Move(
        name,
        7,
        "01kb",
        2,
        State.STARTED,
        TARGETS[name],
        "send",
        START_US + 38_214,
        started_us=START_US,
        scheduled_us=START_US + 34_038_214 if name == "retry" else None,
        charged=1,
        error=None if is_well else ExecutionError(code="ER0003", type="E", message=text, location=where),
    )


def events(text: str = HOSTILE) -> list[Event]:
    """Return one of each kind, with every field it can have."""
    return [
        LeftQueue(text, "01kb", "cancelled"),
        LeftQueue(text, "01kb", "discarded"),
        Started(text, "01kb", 2, 12),
        Aborting(text, "01kb", 2),
        WorkerDied(12, text, 3),
        Reloaded(text, text, 3, 0.038),
        Logged("warning", text, text, text),
        Note("warning", "a note", {"text": text, "count": 2, "pids": [text]}),
    ]


def a_banner(text: str = HOSTILE) -> Banner:
    """Return a banner with everything in it."""
    return Banner(
        version="1.2.3",
        store=Path(text.replace("\0", "")),
        workers=2,
        slots=100,
        functions=3,
        problems=0,
        next_cron=("weekly", START_US),
        pid=42,
        url="http://127.0.0.1:3337",
    )


@contextmanager
def records(form: Any = "logfmt", **options: Any) -> Iterator[tuple[RecordLog, list[str]]]:
    """Give a log, and the lines it has written once the block has ended."""
    with TemporaryFile("w+", newline="") as file:
        log, lines = RecordLog(file, form, **options), list[str]()
        yield log, lines
        log.flush()
        file.seek(0)
        lines += file.read().removesuffix("\n").split("\n")


def tell_everything(log: RecordLog, text: str = HOSTILE) -> int:
    """Tell one of everything; return how many records that is."""
    log.ready(a_banner(text))
    log.settled([an_end(name, text) for name in TARGETS])
    for event in events(text):
        log.tell(event)
    return 1 + len(TARGETS) + len(events())


class Seen(RecordLog):
    """A log that keeps what its records say."""

    def __init__(self) -> None:
        with open("/dev/null", "w") as nowhere:
            super().__init__(nowhere, "logfmt", level="debug")
        self.told: list[tuple[str, str, Mapping[str, object]]] = []
        self._form = self

    def record(self, at_us: int, level: str, message: str, fields: Mapping[str, object]) -> str:
        self.told.append((level, message, dict(fields)))
        return ""

    def success(self, move: Move, spans: SpanTexts) -> str:
        fields = {"function": move.function, "id": move.id, "attempt": move.attempt, "duration": 0}
        return self.record(0, "info", "execution succeeded", fields)
