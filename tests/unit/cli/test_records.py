"""The records of `defer run` and the lines of `defer dev`."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest

from defer_cli.cli.human import HumanLog
from defer_cli.cli.records import RecordLog
from defer_cli.domain.execution import ExecutionError
from defer_cli.domain.function import FunctionSpec, Problem
from defer_cli.domain.settle import Move
from defer_cli.domain.states import State
from defer_cli.engine.banner import Banner
from defer_cli.engine.events import Aborting, LeftQueue, Note, WorkerDied

START_US = 1_795_435_964_000_000  # 2026-11-23 12:12:44 UTC
ERROR = ExecutionError(code="ER0003", type="ValueError", message='no "user"\n\x1b[2J', location="src/defer/send.py:7")
BANNER = Banner(
    version="1.2.3",
    store=Path("/srv/app/.defer/defer.db"),
    workers=2,
    slots=100,
    functions=3,
    problems=0,
    next_cron=("weekly", START_US),
    pid=42,
)


def a_move(name: str, target: State, *, error: ExecutionError | None = None, scheduled_us: int | None = None) -> Move:
    return Move(
        name,
        7,
        "01kb",
        2,
        State.STARTED,
        target,
        "send",
        START_US + 38_214,
        started_us=START_US,
        scheduled_us=scheduled_us,
        charged=1,
        error=error,
    )


SUCCESS = a_move("succeed", State.SUCCEED)
RETRY = a_move("retry", State.CREATED, error=ERROR, scheduled_us=START_US + 38_214 + 34_000_000)


@pytest.fixture(autouse=True)
def _utc() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@contextmanager
def records(form: Any = "logfmt") -> Iterator[tuple[RecordLog, list[str]]]:
    """A log, and the lines it has written once the block has ended."""
    with TemporaryFile("w+") as file:
        log, lines = RecordLog(file, form), list[str]()
        yield log, lines
        log.flush()
        file.seek(0)
        lines += file.read().splitlines()


@contextmanager
def human() -> Iterator[tuple[HumanLog, list[str]]]:
    """The same for a person's lines."""
    with TemporaryFile("w+") as file:
        log, lines = HumanLog(file), list[str]()
        yield log, lines
        log.flush()
        file.seek(0)
        lines += file.read().splitlines()


def recorded(*moves: Move, form: str = "logfmt") -> list[str]:
    with records(form) as (log, lines):
        log.settled(moves)
    return lines


def told(*moves: Move, functions: dict[str, FunctionSpec] | None = None) -> list[str]:
    with human() as (log, lines):
        log.functions(functions or {})
        log.settled(moves)
    return lines


def test_a_success_is_one_logfmt_record() -> None:
    assert recorded(SUCCESS) == [
        'level=info message="execution succeeded" function=send id=01kb attempt=2 duration=0.038214s'
    ]


def test_a_success_is_one_json_record() -> None:
    (line,) = recorded(SUCCESS, form="json")

    assert json.loads(line) == {
        "time": "2026-11-23T12:12:44.038214Z",
        "level": "info",
        "message": "execution succeeded",
        "function": "send",
        "id": "01kb",
        "attempt": 2,
        "duration": 0.038214,
    }


def test_a_retry_says_which_and_when_and_why() -> None:
    assert recorded(RETRY) == [
        (
            'level=warning message="execution will be retried" function=send id=01kb attempt=2 duration=0.038214s '
            r'retry=1 in=34.000000s code=ER0003 error="ValueError: no \"user\"\n\x1b[2J" where=src/defer/send.py:7'
        )
    ]


def test_a_json_record_keeps_the_text_and_no_control() -> None:
    (line,) = recorded(RETRY, form="json")

    assert json.loads(line)["error"] == f"ValueError: {ERROR.message}"
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.parametrize(
    ("name", "target", "start"),
    [
        ("fail", State.FAILED, 'level=error message="execution failed" function=send'),
        ("interrupt", State.CREATED, 'level=warning message="execution interrupted" function=send'),
        ("aborted", State.ABORTED, 'level=warning message="execution aborted" function=send'),
    ],
)
def test_other_ends_have_their_messages(name: str, target: State, start: str) -> None:
    (line,) = recorded(a_move(name, target))

    assert line.startswith(start)


def test_a_batch_is_one_write() -> None:
    reading, writing = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with reading, writing, writing.makefile("w") as stream:
        log = RecordLog(stream, "logfmt")
        log.settled([SUCCESS] * 100)
        log.flush()

        assert reading.recv(1 << 20).count(b"\n") == 100


def test_other_events_are_records() -> None:
    with records() as (log, lines):
        log.tell(LeftQueue("send", "01kb", "discarded"))
        log.tell(Aborting("send", "01kb", 2))
        log.tell(WorkerDied(12, "was killed by signal 9", 3))
        log.tell(Note("warning", "missed", {"count": 2, "empty": ""}))

    assert lines == [
        'level=info message="execution discarded" function=send id=01kb',
        'level=info message="execution aborting" function=send id=01kb attempt=2',
        'level=error message="worker died" pid=12 cause="was killed by signal 9" running=3',
        'level=warning message="missed" count=2 empty=""',
    ]


def test_the_ready_record_says_what_runs() -> None:
    with records() as (log, lines):
        log.ready(BANNER)

    assert lines == [
        (
            'level=info message="runner ready" version=1.2.3 pid=42 store=/srv/app/.defer/defer.db workers=2 '
            "slots=100 functions=3 problems=0 next_cron=weekly next_at=2026-11-23T12:12:44Z"
        )
    ]


def test_a_person_reads_a_success_in_one_line() -> None:
    assert told(SUCCESS) == ["12:12:44  send  attempt 2  succeed    38 ms  01kb"]


def test_a_person_reads_a_retry_in_one_line() -> None:
    spec = FunctionSpec(name="send", kind="function", module="defer.send", file="src/defer/send.py", line=1)

    assert told(RETRY, functions={"send": spec}) == [
        (
            "12:12:44  send  attempt 2  failed     38 ms  01kb  "
            r'ValueError: no "user"\n\x1b[2J (src/defer/send.py:7)  retry 1 of 13 in 34 s (12:13:18)'
        )
    ]


def test_a_person_reads_that_an_abort_was_asked_for() -> None:
    with human() as (log, lines):
        log.tell(Aborting("send", "01kb", 2))

    assert [line[8:] for line in lines] == ["  send  attempt 2  is being aborted  01kb"]


def test_the_lines_of_functions_are_aligned() -> None:
    spec = FunctionSpec(name="send_all", kind="function", module="defer.send_all", file="send_all.py", line=1)

    assert told(SUCCESS, functions={"send_all": spec}) == ["12:12:44  send      attempt 2  succeed    38 ms  01kb"]


def test_a_problem_is_shown_once_and_then_counted(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (Problem(code="DEF001", problem="is empty", file=name, mend="fill it") for name in "ab")
    with human() as (log, _):
        log.problems((first, second))
        assert capsys.readouterr().err.count("error[DEF001]") == 2

        log.problems((second,))
        log.problems(())
    assert capsys.readouterr().err == "1 problem left\nno problems left\n"


def test_a_person_reads_what_runs() -> None:
    with human() as (log, lines):
        log.ready(BANNER)

    assert any("next cron  weekly at 2026-11-23 12:12:44 UTC" in line for line in lines)
