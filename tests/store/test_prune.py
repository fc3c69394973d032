"""Deleting what ended long ago: all of it goes, nothing else does."""

from __future__ import annotations

import msgspec

from defer_cli.domain.ids import encode_id, tick_id
from defer_cli.domain.log_chunk import LogChunk
from defer_cli.domain.paging import Filters
from defer_cli.domain.states import State
from defer_cli.store.contract import Pruned, Reader, Store, Tick
from tests.store.harness import (
    NOON,
    SECOND,
    Clock,
    Engine,
    apply,
    call,
    cancel,
    enqueue,
    fail,
    insert,
    newest,
    retry,
    start,
    succeed,
)

LATER = NOON + 10 * SECOND


def prune(store: Store, *, before_us: int = LATER, from_seq: int = 0, limit: int = 1_000) -> Pruned:
    with store.transaction():
        return store.prune(before_us=before_us, from_seq=from_seq, limit=limit)


def left(reader: Reader) -> set[str]:
    return {execution.id for execution in newest(reader, limit=100)}


def test_what_finished_before_the_moment_is_deleted(store: Store, reader: Reader, clock: Clock) -> None:
    old, new = enqueue(store), enqueue(store)
    cancel(store, old)
    clock.forward(20)
    cancel(store, new)

    assert prune(store) == Pruned(1, None, NOON)
    assert left(reader) == {new}


def test_what_has_not_finished_stays(store: Store, reader: Reader) -> None:
    waiting = enqueue(store, scheduled_us=NOON + 3600 * SECOND)
    retried, running = enqueue(store), enqueue(store)
    apply(store, retry(start(store, limit=1)[0], scheduled_us=NOON + 3600 * SECOND))
    start(store)

    assert prune(store).deleted == 0
    assert left(reader) == {waiting, retried, running}


def test_children_of_an_unfinished_parent_stay_until_it_ends(store: Store, reader: Reader) -> None:
    parent = enqueue(store)
    (running,) = start(store)
    child = enqueue(store, parent=parent)
    cancel(store, child)

    assert prune(store).deleted == 0
    apply(store, succeed(running))
    assert prune(store).deleted == 2
    assert left(reader) == set()


def test_an_orphan_is_deleted_like_any_other(store: Store, reader: Reader) -> None:
    cancel(store, enqueue(store, parent="gone"))

    assert prune(store).deleted == 1


def test_everything_that_belongs_to_it_goes_too(store: Store, reader: Reader, engine: Engine) -> None:
    big = b'["' + b"x" * 10_000 + b'"]'
    id = enqueue(store, arguments=big, metadata={"user": "12"})
    apply(store, retry(start(store)[0], scheduled_us=NOON))
    (running,) = start(store)
    lines = msgspec.msgpack.encode([[NOON, "stdout", "hello"]])
    with store.transaction():
        store.append_logs([LogChunk(running.seq, 2, 0, lines)])
    apply(store, fail(running))
    prune(store)

    assert (reader.get(id), reader.payload(id), reader.attempts(id), reader.log_lines(id)) == (None, None, [], [])
    assert newest(reader, limit=1, metadata={"user": ["12"]}) == []
    assert reader.counts() == {}


def test_an_id_may_be_used_again_once_it_is_pruned(store: Store, reader: Reader) -> None:
    cancel(store, enqueue(store, id="key", arguments=b"[1]"))
    prune(store)
    enqueue(store, id="key", arguments=b"[2]")

    assert [execution.state for execution in newest(reader, limit=5)] == [State.CREATED]


def test_places_in_the_list_are_never_given_again(engine: Engine, clock: Clock) -> None:
    """A cursor of before must not show what came later as if it had been there."""
    store = engine.open(clock)
    cancel(store, enqueue(store))
    prune(store)
    store.close()
    store = engine.open(clock)
    enqueue(store)
    reader = engine.read()
    ((place, _),) = reader.find(Filters(), limit=10).items
    reader.close()
    store.close()

    assert place == 2


def test_a_step_looks_at_no_more_than_it_is_told(store: Store, reader: Reader) -> None:
    insert(store, *(call() for _ in range(25)))
    for execution in newest(reader, limit=25):
        cancel(store, execution.id)
    steps = [prune(store, limit=10)]
    while steps[-1].next_seq is not None:
        steps.append(prune(store, limit=10, from_seq=steps[-1].next_seq))

    assert [step.deleted for step in steps] == [10, 10, 5]


def test_no_more_are_deleted_than_is_asked_for_the_oldest_first(store: Store, reader: Reader) -> None:
    made = [enqueue(store) for _ in range(5)]
    for id in made:
        cancel(store, id)
    with store.transaction():
        first = store.prune(before_us=LATER, from_seq=0, limit=1_000, most=2)
        assert first.next_seq is not None
        second = store.prune(before_us=LATER, from_seq=first.next_seq, limit=1_000, most=2)

    assert (first.deleted, second.deleted) == (2, 2)
    assert left(reader) == {made[4]}


def test_large_ones_are_deleted_in_steps_of_their_own(store: Store) -> None:
    """Their pages are given free one by one: a hundred of 1 MiB would hold everybody up."""
    for _ in range(5):
        cancel(store, enqueue(store, arguments=b'["' + b"x" * 1_000_000 + b'"]'))
    steps = [prune(store)]
    while steps[-1].next_seq is not None:
        steps.append(prune(store, from_seq=steps[-1].next_seq))

    assert [step.deleted for step in steps] == [2, 2, 1]


def test_a_step_tells_when_what_it_reached_was_made(store: Store) -> None:
    assert prune(store).reached_us is None
    enqueue(store)

    assert prune(store).reached_us == NOON


def test_finished_children_of_unfinished_parents_are_counted(store: Store, reader: Reader) -> None:
    parent = enqueue(store)
    (running,) = start(store)
    for _ in range(3):
        cancel(store, enqueue(store, parent=parent))
    enqueue(store, parent=parent)
    cancel(store, enqueue(store, parent="gone"))
    cancel(store, enqueue(store))

    assert reader.count_kept() == 3
    apply(store, retry(running, scheduled_us=NOON))
    assert reader.count_kept() == 3
    (again,) = start(store, limit=1)
    apply(store, succeed(again))
    assert reader.count_kept() == 0


def _tick(store: Store, minute: int) -> str:
    tick_us = NOON + minute * 60 * SECOND
    id = tick_id("weekly", tick_us)
    with store.transaction():
        store.fire([Tick("weekly", "* * * * *", tick_us, call("weekly", id=id, came_from="tick"))])
    return id


def test_the_newest_tick_of_a_cron_outlives_its_execution(store: Store, reader: Reader, clock: Clock) -> None:
    """Its row says that it has happened; without it a restart could run it again."""
    for minute in (0, 1):
        cancel(store, _tick(store, minute))
    clock.forward(60)
    prune(store, before_us=NOON + 120 * SECOND)

    assert left(reader) == set()
    assert reader.ticks("weekly", limit=5) == [NOON + 60 * SECOND]


def test_what_is_deleted_gives_its_room_back(engine: Engine, store: Store, reader: Reader) -> None:
    big = b'["' + b"x" * 100_000 + b'"]'
    for number in range(20):
        cancel(store, enqueue(store, arguments=big, id=encode_id(number + 1_000_000)))
    pages = _pages(reader)
    prune(store)
    assert _pages(reader) == pages
    with store.transaction():
        given = store.give_back(limit=10_000)

    assert _pages(reader) == pages - given < pages / 2


def test_a_share_of_the_empty_pages_may_be_kept_for_what_comes_next(engine: Engine, store: Store) -> None:
    cancel(store, enqueue(store, arguments=b'["' + b"x" * 1_000_000 + b'"]'))
    prune(store)
    with store.transaction():
        assert store.give_back(limit=10, spared=0.5) == 10
        assert store.give_back(limit=10_000, spared=0.5) > 10
        assert store.give_back(limit=10_000, spared=0.5) == 0
        assert store.give_back(limit=10_000) > 10


def _pages(reader: Reader) -> int:
    (pages,) = reader._connection.execute("PRAGMA page_count").fetchone()  # type: ignore[attr-defined]
    return int(pages)
