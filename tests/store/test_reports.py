"""What is read: lists, attempts, logs and counts."""

from __future__ import annotations

import msgspec

from defer_cli.domain.execution import to_moment
from defer_cli.domain.log_chunk import LogChunk
from defer_cli.domain.states import State
from defer_cli.store.contract import LogLine, Reader, Store, Waiting
from tests.store.harness import (
    ERROR,
    NOON,
    SECOND,
    Clock,
    abort,
    apply,
    call,
    cancel,
    enqueue,
    fail,
    ids,
    insert,
    interrupt,
    limits,
    newest,
    retry,
    start,
    succeed,
)


def test_executions_are_listed_newest_first(store: Store, reader: Reader) -> None:
    calls = [call() for _ in range(5)]
    insert(store, *calls)

    assert ids(newest(reader, limit=3)) == [calls[4].id, calls[3].id, calls[2].id]


def test_executions_are_filtered_by_function_and_state(store: Store, reader: Reader) -> None:
    a, b, c = (enqueue(store, name) for name in "abc")
    cancel(store, a)
    cancel(store, b)

    assert ids(newest(reader, limit=10, functions=["a"])) == [a]
    assert ids(newest(reader, limit=10, functions=["a", "c"])) == [c, a]
    assert ids(newest(reader, limit=10, states=["cancelled"])) == [b, a]
    assert ids(newest(reader, limit=10, functions=["a", "c"], states=[State.CREATED])) == [c]


def test_the_running_attempt_is_shown(store: Store, reader: Reader) -> None:
    id = enqueue(store)
    start(store)
    (attempt,) = reader.attempts(id)

    assert (attempt.number, attempt.outcome, attempt.finished_at) == (1, "started", None)
    assert attempt.started_at == to_moment(NOON)


def test_an_aborting_attempt_is_still_running(store: Store, reader: Reader) -> None:
    id = enqueue(store)
    start(store)
    abort(store, id)

    assert [attempt.outcome for attempt in reader.attempts(id)] == ["started"]


def test_attempts_are_shown_oldest_first_with_what_ended_them(store: Store, reader: Reader, clock: Clock) -> None:
    id = enqueue(store)
    apply(store, interrupt(start(store)[0]))
    apply(store, retry(start(store)[0], scheduled_us=NOON))
    clock.forward(1)
    apply(store, fail(start(store)[0], at_us=NOON + 2 * SECOND))
    attempts = reader.attempts(id)

    assert [(attempt.number, attempt.outcome) for attempt in attempts] == [(1, "interrupt"), (2, "retry"), (3, "fail")]
    assert [attempt.error for attempt in attempts] == [None, ERROR, ERROR]
    assert attempts[2].started_at == to_moment(NOON + SECOND)
    assert attempts[2].finished_at == to_moment(NOON + 2 * SECOND)


def test_a_success_is_its_last_attempt(store: Store, reader: Reader) -> None:
    id = enqueue(store)
    apply(store, succeed(start(store)[0]))

    assert [attempt.outcome for attempt in reader.attempts(id)] == ["succeed"]


def test_what_waits_for_its_retry_has_no_attempt_too_many(store: Store, reader: Reader) -> None:
    id = enqueue(store)
    apply(store, retry(start(store)[0]))
    waiting = reader.attempts(id)
    cancel(store, id)

    assert [attempt.outcome for attempt in waiting] == ["retry"]
    assert reader.attempts(id) == waiting


def test_what_never_ran_has_no_attempts(store: Store, reader: Reader) -> None:
    assert reader.attempts(enqueue(store)) == []
    assert reader.attempts("unknown") == []


def _chunk(seq: int, *texts: str, attempt: int = 1, part: int = 0, dropped: int = 0) -> LogChunk:
    lines = [[NOON + number, "stdout", text] for number, text in enumerate(texts)]
    return LogChunk(seq, attempt, part, msgspec.msgpack.encode(lines), dropped)


def _append(store: Store, *chunks: LogChunk) -> None:
    with store.transaction():
        store.append_logs(chunks)


def test_lines_are_read_in_order_of_attempt_and_part(store: Store, reader: Reader) -> None:
    id = enqueue(store)
    (running,) = start(store)
    seq = running.seq
    _append(store, _chunk(seq, "d", attempt=2), _chunk(seq, "c", part=1), _chunk(seq, "a", "b"))

    assert [(line.attempt, line.text) for line in reader.log_lines(id)] == [(1, "a"), (1, "b"), (1, "c"), (2, "d")]
    assert [line.text for line in reader.log_lines(id, attempt=2)] == ["d"]


def test_a_line_tells_its_time_and_stream(store: Store, reader: Reader) -> None:
    id = enqueue(store)
    (running,) = start(store)
    _append(store, _chunk(running.seq, "hello\x00\n"))

    assert reader.log_lines(id) == [LogLine(1, NOON, "stdout", "hello\x00\n")]


def test_what_was_dropped_is_told_at_the_end_of_its_attempt(store: Store, reader: Reader) -> None:
    id = enqueue(store)
    (running,) = start(store)
    seq = running.seq
    _append(store, _chunk(seq, "a", dropped=1_000), _chunk(seq, part=1, dropped=234), _chunk(seq, "b", attempt=2))

    assert [line.text for line in reader.log_lines(id)] == ["a", "1,234 lines dropped", "b"]


def test_a_chunk_sent_twice_is_kept_once(store: Store, reader: Reader) -> None:
    id = enqueue(store)
    (running,) = start(store)
    _append(store, _chunk(running.seq, "a"))
    _append(store, _chunk(running.seq, "a"))

    assert len(reader.log_lines(id)) == 1


def test_logs_of_executions_that_are_gone_are_dropped(store: Store, reader: Reader) -> None:
    _append(store, _chunk(99, "lost"))
    id = enqueue(store)
    _append(store, _chunk(1, "kept"))

    assert [line.text for line in reader.log_lines(id)] == ["kept"]


def test_a_log_goes_on_behind_what_was_seen_of_each_attempt(store: Store, reader: Reader) -> None:
    id = enqueue(store)
    (running,) = start(store)
    seq = running.seq
    _append(store, _chunk(seq, "a"), _chunk(seq, "c", attempt=2))
    seen = {part.attempt: part.number for part in reader.log_after(id, {}, most_bytes=1_000)}
    _append(store, _chunk(seq, "late", part=1, dropped=2), _chunk(seq, "d", attempt=2, part=1))
    parts = reader.log_after(id, seen, most_bytes=1_000)

    assert seen == {1: 0, 2: 0}
    assert [(part.attempt, part.number) for part in parts] == [(1, 1), (2, 1)]
    assert [line.text for part in parts for line in part.lines] == ["late", "2 lines dropped", "d"]
    assert [line.text for part in reader.log_after(id, seen, attempt=2, most_bytes=1) for line in part.lines] == ["d"]


def test_a_log_comes_in_pieces_of_a_size_and_one_part_at_least(store: Store, reader: Reader) -> None:
    id = enqueue(store)
    (running,) = start(store)
    _append(store, *(_chunk(running.seq, "x" * 100, part=part) for part in range(3)))

    assert [part.number for part in reader.log_after(id, {}, most_bytes=1)] == [0]
    assert [part.number for part in reader.log_after(id, {1: 0}, most_bytes=250)] == [1, 2]
    assert reader.log_after(id, {1: 2}, most_bytes=250) == []


def test_counts_are_by_function_and_state(store: Store, reader: Reader) -> None:
    insert(store, call("a"), call("a"), call("b"))
    apply(store, succeed(start(store, limits("a"), limit=1)[0]))

    assert reader.counts() == {("a", State.CREATED): 1, ("a", State.SUCCEED): 1, ("b", State.CREATED): 1}


def test_the_newest_execution_of_each_function_is_told(store: Store, reader: Reader) -> None:
    enqueue(store, "a")
    b, a = enqueue(store, "b"), enqueue(store, "a")

    assert {name: execution.id for name, execution in reader.last_executions().items()} == {"a": a, "b": b}


def test_what_is_due_is_counted(store: Store, reader: Reader) -> None:
    insert(store, call("a"), call("a"), call("b"), call("b", scheduled_us=NOON + SECOND))

    assert reader.count_due(now_us=NOON) == 3
    assert reader.count_due(now_us=NOON + SECOND, functions=["b", "unknown"]) == 2
    assert reader.count_due(now_us=NOON, without=["a"]) == 1


def test_what_waits_is_due_or_not_yet(store: Store, reader: Reader) -> None:
    later = NOON + SECOND
    insert(store, call("a"), call("a", scheduled_us=later), call("a", scheduled_us=later), call("b"), call("c"))
    start(store, limits("c"))

    assert reader.count_waiting(now_us=NOON, limit=1_000) == {
        "a": Waiting(due=1, later=2),
        "b": Waiting(due=1, later=0),
    }
    assert reader.count_waiting(now_us=later, limit=1_000)["a"] == Waiting(due=3, later=0)


def test_so_much_waits_on_both_sides_that_it_is_not_told_apart(store: Store, reader: Reader) -> None:
    insert(store, *(call("a", scheduled_us=NOON + (number % 2) * SECOND) for number in range(400)))
    insert(store, *(call("b") for _ in range(400)), call("b", scheduled_us=NOON + SECOND))

    told = reader.count_waiting(now_us=NOON, limit=200)

    assert told == {"a": Waiting(due=100, later=100, unsure=200), "b": Waiting(due=400, later=1)}


def test_waiting_retries_are_counted(store: Store, reader: Reader) -> None:
    insert(store, call(), call(), call())
    first, second = start(store, limit=2)
    apply(store, retry(first), interrupt(second))

    assert reader.count_waiting_retries() == 1
