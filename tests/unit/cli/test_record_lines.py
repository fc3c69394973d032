"""A record is one line whatever is in it, has its time where it is asked for, and is silent below its level."""

from __future__ import annotations

import json
import os
import re
import threading
from typing import Any, get_args

import pytest

from defer_cli.cli import records as module
from defer_cli.cli.records import RecordLog
from defer_cli.domain.settings import LogFormat, LogLevel
from defer_cli.engine.events import Event, Note
from tests.unit.cli.record_events import HOSTILE, an_end, events, records, tell_everything

LOGFMT = re.compile(r'(?:[a-z_]+=(?:[^ "=]+|"(?:[^"\\]|\\.)*")(?: |$))+')
FORMS: tuple[str, ...] = get_args(LogFormat)
DEADLINE_SECONDS = 10.0


def written(form: str = "logfmt", **options: Any) -> list[str]:
    with records(form, **options) as (log, lines):
        tell_everything(log)
    return [line for line in lines if line]


def levels(lines: list[str]) -> set[str]:
    return {re.findall(r'level(?:=|": ")(\w+)', line)[0] for line in lines}


def test_there_is_one_of_every_kind_of_event() -> None:
    assert {type(event) for event in events()} == set(get_args(Event))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", [HOSTILE, "x" * 100_000, "\n" * 5_000, ""], ids=["hostile", "long", "lines", "empty"])
def test_every_event_is_one_line(form: str, text: str) -> None:
    with records(form, level="debug", has_time=True) as (log, lines):
        count = tell_everything(log, text)

    assert len(lines) == count
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) < 120_000


def test_every_logfmt_record_can_be_read() -> None:
    lines = written(level="debug", has_time=True)

    assert [line for line in lines if not LOGFMT.fullmatch(line)] == []


def test_every_json_record_begins_with_time_level_and_message() -> None:
    for line in written("json", level="debug"):
        assert list(json.loads(line))[:3] == ["time", "level", "message"]


def test_json_keeps_hostile_text_as_it_was() -> None:
    with records("json") as (log, lines):
        log.tell(Note("warning", "a note", {"text": HOSTILE}))

    assert json.loads(lines[0])["text"] == HOSTILE


@pytest.mark.parametrize(
    ("form", "has_time", "is_there"),
    [
        ("json", None, True),
        ("json", False, False),
        ("logfmt", None, False),
        ("logfmt", True, True),
    ],
)
def test_the_time_is_there_where_it_is_asked_for(form: str, has_time: bool | None, is_there: bool) -> None:
    lines = written(form, has_time=has_time)

    begins = [bool(re.match(r'(?:time=|\{"time": ")\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z', line)) for line in lines]
    assert set(begins) == {is_there}


def test_the_time_of_an_end_is_when_it_happened() -> None:
    with records(has_time=True) as (log, lines):
        log.settled([an_end("succeed"), an_end("fail")])

    assert [line[:32] for line in lines] == ["time=2026-11-23T12:12:44.038214Z"] * 2


@pytest.mark.parametrize(
    ("level", "told"),
    [
        ("debug", {"debug", "info", "warning", "error"}),
        ("info", {"info", "warning", "error"}),
        ("warning", {"warning", "error"}),
        ("error", {"error"}),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_what_is_below_the_level_is_not_told(form: str, level: LogLevel, told: set[str]) -> None:
    assert levels(written(form, level=level)) == told


def test_a_success_below_the_level_is_not_even_formatted(monkeypatch: pytest.MonkeyPatch) -> None:
    with records(level="warning") as (log, lines):
        monkeypatch.setattr(log._form, "success", None)
        log.settled([an_end("succeed")] * 3)

    assert lines == [""]


def test_that_records_were_dropped_is_told_at_every_level() -> None:
    with records(level="error") as (log, _):
        assert 'message="records dropped" count=7' in log._dropped(7)


def test_records_are_not_torn_by_others_who_write_to_the_same_pipe() -> None:
    reading, writing = os.pipe()
    stranger = b"#" * 100 + b"\n"
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "w") as stream:
        log = RecordLog(stream, "json")
        log.settled([an_end("succeed"), an_end("fail")] * 5_000)
        writers = [threading.Thread(target=_write, args=(writing, stranger, 5_000))]
        writers.append(threading.Thread(target=log._sink.flush, kwargs={"seconds": DEADLINE_SECONDS}))
        for writer in writers:
            writer.start()
        lines = [pipe.readline() for _ in range(15_000)]
        for writer in writers:
            writer.join(DEADLINE_SECONDS)

    assert lines.count(stranger) == 5_000
    assert sum(line.startswith(b"{") and bool(json.loads(line)) for line in lines) == 10_000


def _write(descriptor: int, data: bytes, times: int) -> None:
    for _ in range(times):
        os.write(descriptor, data)


def test_a_text_is_cut_where_nobody_would_read_on() -> None:
    with records() as (log, lines):
        log.tell(Note("error", "a note", {"reason": "x" * 5_000}))

    assert lines[0].endswith('xx…"')
    assert len(lines[0]) < module._LONGEST_TEXT + 100
