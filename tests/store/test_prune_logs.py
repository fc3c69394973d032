"""Deleting what was printed long ago: the execution stays, and says that its log is gone."""

from __future__ import annotations

import msgspec

from defer_cli.domain.log_chunk import LogChunk
from defer_cli.domain.retention import Round
from defer_cli.store.contract import LogLine, Pruned, Reader, Store
from tests.store.harness import NOON, SECOND, Clock, apply, enqueue, fail, retry, start, succeed

LATER = NOON + 10 * SECOND
NOTE = "what it printed was deleted"


def prune_logs(store: Store, *, before_us: int = LATER, from_seq: int = 0, limit: int = 100, most: int = 100) -> Pruned:
    with store.transaction():
        return store.prune_logs(before_us=before_us, from_seq=from_seq, limit=limit, most=most, note=NOTE)


def printed(store: Store, seq: int, attempt: int = 1, *, parts: int = 1, text: str = "hello", dropped: int = 0) -> None:
    lines = msgspec.msgpack.encode([[NOON, "stdout", text]])
    with store.transaction():
        store.append_logs([LogChunk(seq, attempt, part, lines, dropped) for part in range(parts)])


def finished(store: Store, *, parts: int = 1, text: str = "hello") -> str:
    id = enqueue(store)
    (running,) = start(store)
    printed(store, running.seq, parts=parts, text=text)
    apply(store, succeed(running))
    return id


def note(clock: Clock, attempt: int = 1) -> LogLine:
    return LogLine(attempt, clock.now_us, "defer", NOTE)


def test_a_line_takes_the_place_of_what_was_printed(store: Store, reader: Reader, clock: Clock) -> None:
    id = finished(store, parts=3)
    clock.forward(60)

    assert prune_logs(store).deleted == 1
    assert reader.log_lines(id) == [note(clock)]
    assert [part.lines for part in reader.log_after(id, {}, most_bytes=1_000)] == [[note(clock)]]


def test_every_attempt_that_printed_says_so(store: Store, reader: Reader, clock: Clock) -> None:
    id = enqueue(store)
    (first,) = start(store)
    printed(store, first.seq, 1, parts=2, dropped=7)
    apply(store, retry(first, scheduled_us=NOON))
    (second,) = start(store)
    printed(store, second.seq, 2)
    apply(store, fail(second))
    prune_logs(store)

    assert reader.log_lines(id) == [note(clock, 1), note(clock, 2)]


def test_a_silent_execution_says_nothing(store: Store, reader: Reader) -> None:
    id = enqueue(store)
    apply(store, succeed(start(store)[0]))

    assert prune_logs(store).deleted == 0
    assert reader.log_lines(id) == []


def test_what_was_deleted_is_not_deleted_again(store: Store) -> None:
    finished(store)

    assert [prune_logs(store).deleted, prune_logs(store).deleted] == [1, 0]


def test_the_log_of_what_has_not_finished_stays(store: Store, reader: Reader) -> None:
    id = enqueue(store)
    (running,) = start(store)
    printed(store, running.seq)

    assert prune_logs(store).deleted == 0
    assert [line.text for line in reader.log_lines(id)] == ["hello"]


def test_the_log_of_what_finished_later_stays(store: Store, reader: Reader) -> None:
    id = finished(store)

    assert prune_logs(store, before_us=NOON).deleted == 0
    assert [line.text for line in reader.log_lines(id)] == ["hello"]


def test_logs_of_children_of_an_unfinished_parent_stay_until_it_ends(store: Store) -> None:
    parent = enqueue(store)
    (running,) = start(store)
    enqueue(store, parent=parent)
    (child,) = start(store)
    printed(store, child.seq)
    apply(store, succeed(child))

    assert prune_logs(store).deleted == 0
    apply(store, succeed(running))
    assert prune_logs(store).deleted == 1


def test_a_step_looks_at_no_more_logs_than_it_is_told(store: Store) -> None:
    for _ in range(5):
        finished(store)
    steps = [prune_logs(store, limit=2)]
    while steps[-1].next_seq is not None:
        steps.append(prune_logs(store, limit=2, from_seq=steps[-1].next_seq))

    assert [step.deleted for step in steps] == [2, 2, 1]


def test_long_logs_are_deleted_in_steps_of_their_own(store: Store) -> None:
    for _ in range(3):
        finished(store, parts=3, text="x" * 500_000)
    steps = [prune_logs(store)]
    while steps[-1].next_seq is not None:
        steps.append(prune_logs(store, from_seq=steps[-1].next_seq))

    assert [step.deleted for step in steps if step.deleted] == [1, 1, 1]


def test_the_last_round_is_remembered(store: Store, reader: Reader) -> None:
    assert reader.last_round() is None
    for made in (Round(began_us=NOON), Round(began_us=NOON, ended_us=LATER, next_us=LATER + 60, executions=7, logs=3)):
        with store.transaction():
            store.keep_round(made)
        assert reader.last_round() == made
