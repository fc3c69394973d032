"""The records of `defer run` and the lines of `defer dev`."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from defer_cli.assembly import Banner
from defer_cli.cli.human import HumanLog
from defer_cli.cli.records import RecordLog
from defer_cli.domain.execution import ExecutionError
from defer_cli.domain.function import FunctionSpec, Problem
from defer_cli.domain.settle import Move
from defer_cli.domain.states import State
from defer_cli.engine.events import LeftQueue, Note, WorkerDied

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


def recorded(*moves: Move, form: str = "logfmt") -> list[str]:
    stream = io.StringIO()
    RecordLog(stream, form).settled(moves)  # type: ignore[arg-type]
    return stream.getvalue().splitlines()


def told(*moves: Move, functions: dict[str, FunctionSpec] | None = None) -> list[str]:
    stream = io.StringIO()
    log = HumanLog(stream)
    log.functions(functions or {})
    log.settled(moves)
    return stream.getvalue().splitlines()


def test_a_success_is_one_logfmt_record() -> None:
    assert recorded(SUCCESS) == [
        'level=info message="execution succeeded" function=send id=01kb attempt=2 duration=0.038214s'
    ]


def test_a_success_is_one_json_record() -> None:
    (line,) = recorded(SUCCESS, form="json")

    assert json.loads(line) == {
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
    class Counting(io.StringIO):
        writes = 0

        def write(self, text: str) -> int:
            self.writes += 1
            return super().write(text)

    stream = Counting()
    RecordLog(stream, "logfmt").settled([SUCCESS] * 100)

    assert stream.writes == 1


def test_a_reader_that_hangs_up_silences_the_log() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        os.close(reading)
        log = RecordLog(stream, "logfmt")
        log.settled([SUCCESS])
        log.settled([SUCCESS])


def test_other_events_are_records() -> None:
    stream = io.StringIO()
    log = RecordLog(stream, "logfmt")
    log.tell(LeftQueue("send", "01kb", "discarded"))
    log.tell(WorkerDied(12, "was killed by signal 9", 3))
    log.tell(Note("warning", "missed", {"count": 2, "empty": ""}))

    assert stream.getvalue().splitlines() == [
        'level=info message="execution discarded" function=send id=01kb',
        'level=error message="worker died" pid=12 cause="was killed by signal 9" running=3',
        'level=warning message="missed" count=2 empty=""',
    ]


def test_the_ready_record_says_what_runs() -> None:
    stream = io.StringIO()
    RecordLog(stream, "logfmt").ready(BANNER)

    assert stream.getvalue() == (
        'level=info message="runner ready" version=1.2.3 pid=42 store=/srv/app/.defer/defer.db workers=2 slots=100 '
        "functions=3 problems=0 next_cron=weekly next_at=2026-11-23T12:12:44Z\n"
    )


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


def test_the_lines_of_functions_are_aligned() -> None:
    spec = FunctionSpec(name="send_all", kind="function", module="defer.send_all", file="send_all.py", line=1)

    assert told(SUCCESS, functions={"send_all": spec}) == ["12:12:44  send      attempt 2  succeed    38 ms  01kb"]


def test_a_problem_is_shown_once_and_then_counted(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (Problem(code="DEF001", problem="is empty", file=name, mend="fill it") for name in "ab")
    log = HumanLog(io.StringIO())
    log.problems((first, second))
    assert capsys.readouterr().err.count("error[DEF001]") == 2

    log.problems((second,))
    log.problems(())
    assert capsys.readouterr().err == "1 problem left\nno problems left\n"


def test_a_person_reads_what_runs() -> None:
    stream = io.StringIO()
    HumanLog(stream).ready(BANNER)

    assert "next cron  weekly at 2026-11-23 12:12:44 UTC" in stream.getvalue()
