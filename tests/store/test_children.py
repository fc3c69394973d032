"""Which children a parent that runs again finds, and which it makes anew."""

from __future__ import annotations

from defer_cli.domain.settle import Running
from defer_cli.store.contract import Reader, Store
from tests.store.harness import (
    Clock,
    abort,
    aborted,
    apply,
    call,
    cancel,
    enqueue,
    fail,
    insert,
    interrupt,
    newest,
    retry,
    start,
    succeed,
)


def _parent_with_children(store: Store) -> tuple[Running, dict[str, str]]:
    """Start a parent; return it with the ids of its children by the state they are brought to."""
    enqueue(store)
    (parent,) = start(store)
    names = ["succeed", "failed", "aborted", "cancelled", "started", "created"]
    calls = {name: call(parent=parent.id, call_hash=name.encode()) for name in names}
    insert(store, *calls.values())
    cancel(store, calls["cancelled"].id)
    running = {one.id: one for one in start(store, limit=4)}
    abort(store, calls["aborted"].id)
    apply(
        store,
        succeed(running[calls["succeed"].id]),
        fail(running[calls["failed"].id]),
        aborted(running[calls["aborted"].id]),
    )
    return parent, {name: one.id for name, one in calls.items()}


def test_a_retry_marks_the_children_that_ended_without_success(store: Store) -> None:
    parent, _ = _parent_with_children(store)
    apply(store, retry(parent))

    assert store.marked_children([parent.id]) == {parent.id: {b"failed": 1, b"aborted": 1, b"cancelled": 1}}


def test_an_interrupt_marks_no_children(store: Store) -> None:
    parent, _ = _parent_with_children(store)
    apply(store, interrupt(parent))

    assert store.marked_children([parent.id]) == {}


def test_a_refused_retry_marks_no_children(store: Store) -> None:
    parent, _ = _parent_with_children(store)
    apply(store, interrupt(parent))
    apply(store, retry(parent))

    assert store.marked_children([parent.id]) == {}


def test_marks_of_equal_calls_are_counted(store: Store, clock: Clock) -> None:
    id = enqueue(store)
    for _ in range(2):
        parent, *_ = start(store)
        enqueue(store, parent=id, call_hash=b"h")
        (child,) = start(store)
        apply(store, fail(child))
        apply(store, retry(parent))
        clock.forward(1)

    assert store.marked_children([id, "other"]) == {id: {b"h": 2}}


def test_children_are_counted_by_state(store: Store, reader: Reader) -> None:
    parent, _ = _parent_with_children(store)

    assert {state.value: count for state, count in reader.count_children(parent.id).items()} == dict.fromkeys(
        ["succeed", "failed", "aborted", "cancelled", "started", "created"], 1
    )


def test_children_are_listed(store: Store, reader: Reader) -> None:
    parent, children = _parent_with_children(store)

    assert {child.id for child in newest(reader, limit=10, parent=parent.id)} == set(children.values())
