"""What a dead runner left is taken back, and what a wrong clock has postponed is put right."""

from __future__ import annotations

from defer_cli.domain.settle import Isolation
from defer_cli.domain.states import State
from defer_cli.store.contract import Reader, Store
from tests.store.harness import (
    NOON,
    SECOND,
    Clock,
    Engine,
    abort,
    apply,
    call,
    enqueue,
    ids,
    insert,
    interrupt,
    limits,
    retry,
    start,
    state,
    succeed,
)


def _take_back(store: Store, *, limit: int = 100) -> list[tuple[str, int]]:
    with store.transaction():
        return [(running.id, running.losses) for running in store.take_back(limit=limit)]


def test_what_was_left_started_waits_again_uncharged(store: Store, reader: Reader) -> None:
    id = enqueue(store)
    start(store)
    taken = _take_back(store)
    execution = reader.get(id)

    assert taken == [(id, 1)]
    assert execution is not None
    assert (execution.state, execution.losses, execution.charged) == (State.CREATED, 1, 0)


def test_what_was_left_aborting_is_aborted(store: Store, reader: Reader) -> None:
    enqueue(store, "another")
    id = enqueue(store)  # not the first one: its number in the store is not that of its attempt
    start(store)
    abort(store, id)

    assert _take_back(store) == [(id, 0)]
    assert state(reader, id) is State.ABORTED


def test_nothing_else_is_taken_back(store: Store) -> None:
    insert(store, call(), call(), call("gone"))
    apply(store, succeed(start(store, limit=1)[0]))

    assert _take_back(store) == []


def test_taking_back_goes_by_turns(store: Store) -> None:
    insert(store, *[call() for _ in range(5)])
    start(store)

    assert [len(_take_back(store, limit=3)) for _ in range(3)] == [3, 2, 0]


def test_what_was_taken_back_keeps_its_place_and_starts_under_the_next_attempt(store: Store) -> None:
    first = enqueue(store)
    start(store)
    enqueue(store)
    _take_back(store)
    (running,) = start(store, limit=1)

    assert (running.id, running.attempt) == (first, 2)


def test_a_loss_is_an_attempt(store: Store, reader: Reader) -> None:
    id = enqueue(store)
    start(store)
    _take_back(store)

    assert [(attempt.number, attempt.outcome) for attempt in reader.attempts(id)] == [(1, "loss")]


def test_from_the_second_death_of_a_runner_on_it_is_isolated(store: Store) -> None:
    enqueue(store)
    isolations = []
    for _ in range(3):
        (running,) = start(store, isolated=1)
        isolations.append(running.isolation)
        _take_back(store)

    assert isolations == [Isolation.NONE, Isolation.NONE, Isolation.SUSPECT]


def test_what_was_isolated_at_the_third_death_of_a_runner_is_left_to_be_charged(store: Store, reader: Reader) -> None:
    id = enqueue(store)
    for _ in range(2):
        start(store, isolated=1)
        _take_back(store)
    start(store, isolated=1)

    found = store.guilty()

    assert found is not None
    assert (found.id, found.losses) == (id, 3)
    assert _take_back(store) == []
    assert state(reader, id) is State.STARTED


def test_nobody_is_guilty_of_what_happened_once(store: Store) -> None:
    enqueue(store)
    start(store)

    assert store.guilty() is None


def test_of_several_that_were_isolated_the_one_that_started_last_is_charged(
    store: Store, reader: Reader, clock: Clock
) -> None:
    for _ in range(2):
        enqueue(store)
    for _ in range(2):
        start(store, isolated=2)
        _take_back(store)
    (waits,) = start(store, isolated=1)
    clock.forward(1)
    (kills,) = start(store, isolated=1)
    found = store.guilty()

    assert found is not None
    assert found.id == kills.id
    assert _take_back(store) == [(waits.id, 3)]


def test_one_that_went_on_after_one_that_waits_had_started_is_charged(store: Store, clock: Clock) -> None:
    insert(store, call(), call())
    for _ in range(2):
        start(store, isolated=2)
        _take_back(store)
    (kills,) = start(store, isolated=1)
    clock.forward(1)
    (waits,) = start(store, isolated=1)
    clock.forward(1)
    with store.transaction():
        went_on = store.go_on(seq=kills.seq, attempt=kills.attempt)
    found = store.guilty()

    assert went_on is True
    assert found is not None
    assert found.id == kills.id
    assert _take_back(store) == [(waits.id, 3)]


def test_one_that_waits_is_not_charged_when_what_was_charged_before_kills_again(store: Store, clock: Clock) -> None:
    insert(store, call(), call())
    for _ in range(2):
        start(store, isolated=2)
        _take_back(store)
    waits, kills = start(store, isolated=2)
    apply(store, retry(kills, scheduled_us=NOON, isolation=Isolation.KILLER))
    clock.forward(1)
    start(store, isolated=1)

    assert store.guilty() is None
    assert [_take_back(store, limit=1) for _ in range(2)] == [[(waits.id, 3)], [(kills.id, 1)]]
    assert store.guilty() is None


def test_one_that_waits_is_not_charged_when_one_that_is_aborted_was_the_last(store: Store, clock: Clock) -> None:
    insert(store, call(), call())
    for _ in range(2):
        start(store, isolated=2)
        _take_back(store)
    _, aborts = start(store, isolated=2)
    clock.forward(1)
    abort(store, aborts.id)

    assert store.guilty() is None


def test_what_has_ended_does_not_go_on(store: Store) -> None:
    enqueue(store)
    (running,) = start(store)
    apply(store, succeed(running))
    with store.transaction():
        assert store.go_on(seq=running.seq, attempt=running.attempt) is False


def test_a_store_has_runner_suspects_from_the_second_death_on_until_they_have_ended(store: Store) -> None:
    has = [store.has_runner_suspects()]
    enqueue(store)
    for _ in range(2):
        start(store)
        _take_back(store)
        has.append(store.has_runner_suspects())
    (running,) = start(store, isolated=1)
    has.append(store.has_runner_suspects())
    apply(store, succeed(running))
    has.append(store.has_runner_suspects())

    assert has == [False, False, True, True, False]


def test_what_was_charged_or_interrupted_is_no_runner_suspect_any_more(store: Store) -> None:
    insert(store, call(), call())
    for _ in range(2):
        start(store, isolated=2)
        _take_back(store)
    charged, interrupted = start(store, isolated=2)
    apply(store, retry(charged, isolation=Isolation.KILLER))
    before = store.has_runner_suspects()
    apply(store, interrupt(interrupted, isolation=Isolation.SUSPECT))

    assert before is True
    assert store.has_runner_suspects() is False


def test_who_is_suspected_of_its_worker_s_death_alone_is_no_runner_suspect(store: Store) -> None:
    enqueue(store)
    apply(store, interrupt(start(store)[0], isolation=Isolation.SUSPECT))

    assert store.has_runner_suspects() is False


def test_any_other_end_of_an_attempt_forgets_the_losses(store: Store, clock: Clock, reader: Reader) -> None:
    id = enqueue(store)
    start(store)
    _take_back(store)
    apply(store, retry(start(store)[0]))
    execution = reader.get(id)

    assert execution is not None
    assert execution.losses == 0


def test_taking_back_gives_the_places_of_a_limit_back(store: Store) -> None:
    insert(store, *[call() for _ in range(3)])
    start(store, limits(compute=1))
    _take_back(store)

    assert len(start(store, limits(compute=1))) == 1


def test_a_new_owner_takes_back_what_the_last_one_left(engine: Engine, clock: Clock) -> None:
    store = engine.open(clock)
    id = enqueue(store)
    start(store)
    store.close()
    store = engine.open(clock)
    taken = _take_back(store)
    store.close()

    assert taken == [(id, 1)]


def _step_back(store: Store, *, limit: int = 1_000) -> int:
    with store.transaction():
        return store.step_back(limit=limit)


def test_when_the_clock_was_ahead_what_was_due_is_due_again(store: Store, clock: Clock) -> None:
    id = enqueue(store)
    clock.forward(-3_600)
    before = start(store)

    assert before == []
    assert _step_back(store) == 1
    assert ids(start(store)) == [id]


def test_stepping_back_keeps_the_order(store: Store, clock: Clock) -> None:
    early_id = enqueue(store)
    (running,) = start(store)
    clock.forward(10)
    late = [enqueue(store) for _ in range(3)]
    clock.forward(-1_000)
    earlier_clock = enqueue(store, "other", scheduled_us=0)
    apply(store, succeed(running))
    clock.forward(-1_000)
    _step_back(store)

    assert early_id not in late
    assert ids(start(store, limits("compute", "other"))) == [earlier_clock, *late]


def test_asked_for_delays_and_retries_are_not_stepped_back(store: Store, clock: Clock) -> None:
    enqueue(store)
    (running,) = start(store)
    apply(store, retry(running, scheduled_us=NOON + 60 * SECOND))
    enqueue(store, scheduled_us=NOON + 60 * SECOND)
    clock.forward(-3_600)

    assert _step_back(store) == 0


def test_a_rescheduled_execution_is_not_stepped_back(store: Store, clock: Clock) -> None:
    id = enqueue(store)
    with store.transaction():
        store.reschedule(id, NOON + SECOND)
    clock.forward(-3_600)

    assert _step_back(store) == 0


def test_stepping_back_goes_by_turns(store: Store, clock: Clock) -> None:
    insert(store, *[call(f"f{number % 3}") for number in range(5)])
    clock.forward(-1)

    assert [_step_back(store, limit=2) for _ in range(4)] == [2, 2, 1, 0]
