"""Questions about the store, answered as plain data."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from defer_cli.domain import ticks
from defer_cli.domain.errors import DeferError, ExecutionNotFound
from defer_cli.domain.log_chunk import LogChunk
from defer_cli.reports import QUESTIONS, Reports
from defer_cli.store.contract import Gap, Reader, Store, Tick
from defer_cli.store.sqlite import open_reader, open_store
from tests.store.harness import NOON, SECOND, apply, call, enqueue, fail, insert, start, succeed


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path / "defer.db")
    yield store
    store.close()


@pytest.fixture
def reports(store: Store, tmp_path: Path) -> Iterator[Reports]:
    reports = Reports(lambda: open_reader(tmp_path / "defer.db"))
    yield reports
    reports.close()


async def ask(reports: Reports, name: str, **parameters: Any) -> Any:
    """Return an answer as it arrives at the other end of a socket."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(await reports.ask(name, parameters)))


async def test_an_execution_is_told_as_plain_data(reports: Reports, store: Store) -> None:
    enqueue(store, id="x", metadata={"k": "v"})
    told = await ask(reports, "execution", id="x")

    assert (told["id"], told["function"], told["state"], told["metadata"]) == ("x", "compute", "created", {"k": "v"})


async def test_an_id_that_is_not_there_is_said_so(reports: Reports) -> None:
    with pytest.raises(ExecutionNotFound, match="no execution has the id 'x'"):
        await ask(reports, "execution", id="x")


async def test_a_question_that_does_not_exist_is_said_so(reports: Reports) -> None:
    with pytest.raises(DeferError, match="no question 'weather'"):
        await ask(reports, "weather")


async def test_an_ending_holds_the_result(reports: Reports, store: Store) -> None:
    enqueue(store, id="x")
    apply(store, *(succeed(running, result=b'"r"') for running in start(store)))
    told = await ask(reports, "ending", id="x")

    assert (told["state"], told["result"], told["error"]) == ("succeed", '"r"', None)


async def test_an_ending_holds_the_error(reports: Reports, store: Store) -> None:
    enqueue(store, id="x")
    apply(store, *(fail(running) for running in start(store)))
    told = await ask(reports, "ending", id="x")

    assert told["state"] == "failed"
    assert msgspec.json.decode(told["error"])["type"] == "ValueError"


async def test_children_are_counted_by_state(reports: Reports, store: Store) -> None:
    insert(store, call(parent="p"), call(parent="p"), call(parent="q"))

    assert await ask(reports, "children", id="p") == {"created": 2}


async def test_executions_are_counted_by_function_and_state(reports: Reports, store: Store) -> None:
    insert(store, call("a"), call("a"), call("b"))

    assert await ask(reports, "counts") == {"a": {"created": 2}, "b": {"created": 1}}


async def test_a_log_is_told_line_by_line(reports: Reports, store: Store) -> None:
    enqueue(store, id="x")
    (running,) = start(store)
    lines = msgspec.msgpack.encode([(1, "stdout", "a"), (2, "stderr", "b")])
    with store.transaction():
        store.append_logs([LogChunk(running.seq, 1, 0, lines)])

    assert await ask(reports, "log", id="x") == [[1, 1, "stdout", "a"], [1, 2, "stderr", "b"]]


async def test_a_log_is_told_on_from_where_it_was_seen(reports: Reports, store: Store) -> None:
    enqueue(store, id="x")
    (running,) = start(store)
    for part, text in enumerate("ab"):
        with store.transaction():
            store.append_logs([LogChunk(running.seq, 1, part, msgspec.msgpack.encode([(1, "stdout", text)]))])
    told = await ask(reports, "log_after", id="x", seen=[[1, 0]])

    assert told == {"function": "compute", "state": "started", "parts": [[1, 1, [[1, "stdout", "b"]]]]}
    assert (await ask(reports, "log_after", id="x", seen=[[1, 1]], attempt=1))["parts"] == []


async def test_the_last_execution_of_each_function_is_told(reports: Reports, store: Store) -> None:
    enqueue(store, "a", id="old")
    enqueue(store, "a", id="new")
    enqueue(store, "b", id="other")
    told = await ask(reports, "last_executions")

    assert {name: execution["id"] for name, execution in told.items()} == {"a": "new", "b": "other"}


async def test_questions_are_read_off_the_loop(reports: Reports) -> None:
    reading_in: list[threading.Thread] = []

    def note(reader: Reader) -> None:
        reading_in.append(threading.current_thread())

    await reports.read(note)

    assert reading_in != [threading.main_thread()]


async def test_a_question_that_fails_does_not_spoil_the_next(reports: Reports, store: Store) -> None:
    enqueue(store, id="x")
    with pytest.raises(TypeError):
        await ask(reports, "execution", wrong="x")

    assert (await ask(reports, "execution", id="x"))["id"] == "x"


def test_reports_that_never_read_are_closed(tmp_path: Path) -> None:
    Reports(lambda: open_reader(tmp_path / "defer.db")).close()


async def test_the_health_of_a_store_is_told(reports: Reports, store: Store) -> None:
    assert (await ask(reports, "health", now_us=NOON))["newest_us"] is None
    with store.transaction():
        store.start_runner(name="a", pid=7, version="1.0")
    enqueue(store, id="x")
    enqueue(store, id="y", scheduled_us=store.now() + 3600 * SECOND)
    now_us = store.now()
    told = await ask(reports, "health", now_us=now_us)

    assert (told["runner"]["pid"], told["runner"]["stopped_us"]) == (7, None)
    assert (told["due"], told["counts"], told["coming_retries"]) == (1, {"compute": {"created": 2}}, 0)
    assert told["oldest_due_us"] <= told["newest_us"] <= now_us


async def test_several_questions_are_answered_in_their_order(reports: Reports, store: Store) -> None:
    enqueue(store, id="x")
    questions = [("oldest_due", {"now_us": 0}), ("counts", {}), ("execution", {"id": "x"})]
    told = await ask(reports, "several", questions=questions)

    assert told[:2] == [None, {"compute": {"created": 1}}]
    assert told[2]["id"] == "x"
    with pytest.raises(DeferError, match="there is no question 'nothing'"):
        await ask(reports, "several", questions=[("counts", {}), ("nothing", {})])


def test_each_question_says_what_it_answers() -> None:
    assert all(question.__doc__ for question in QUESTIONS.values())


async def test_what_is_due_longest_is_told(reports: Reports, store: Store) -> None:
    later_us = store.now() + 3600 * SECOND
    enqueue(store, scheduled_us=later_us)

    assert await ask(reports, "oldest_due", now_us=later_us - 1) is None
    assert await ask(reports, "oldest_due", now_us=later_us) == later_us


async def test_since_when_crons_are_paused_is_told(reports: Reports, store: Store) -> None:
    with store.transaction():
        store.pause("weekly")

    assert await ask(reports, "paused") == store.paused()


async def test_ticks_are_told_fired_missed_and_skipped(reports: Reports, store: Store) -> None:
    hour = 3600 * SECOND
    reasons = {ticks.FIRST_SEEN: "new", ticks.NO_RUNNER: "missed", ticks.PAUSED: "skipped", ticks.CHANGED: "new"}
    with store.transaction():
        store.fire([Tick("weekly", "0 * * * *", NOON + n * hour, call("weekly", came_from="tick")) for n in range(3)])
        store.record_gaps([Gap("weekly", "0 * * * *", NOON, NOON + hour, reason) for reason in reasons])
        store.record_gaps([Gap("other", "0 * * * *", NOON, NOON + hour, ticks.PAUSED)])
    told = await ask(reports, "ticks", function="weekly", limit=2)
    every = (await ask(reports, "ticks", function="weekly"))["gaps"]

    assert (told["paused_since"], told["fired"]) == (None, [NOON + 2 * hour, NOON + hour])
    assert told["gaps"][1] == {"kind": "skipped", "after": NOON, "until": NOON + hour, "reason": "paused"}
    assert {gap["reason"]: gap["kind"] for gap in every} == reasons
