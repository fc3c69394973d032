"""A tick happens once; marks and gaps are kept."""

from __future__ import annotations

from defer_cli.domain.enqueue import Stored
from defer_cli.domain.execution import to_moment
from defer_cli.store.contract import Gap, Mark, Reader, Store, Tick
from tests.store.harness import NOON, SECOND, Clock, call, ids, limits, newest, start, undone

HOUR = 3_600 * SECOND


def _tick(function: str = "weekly", tick_us: int = NOON, canonical: str = "0 * * * *") -> Tick:
    return Tick(function, canonical, tick_us, call(function, came_from="tick"))


def _fire(store: Store, *ticks: Tick) -> list[Stored | None]:
    with store.transaction():
        return store.fire(ticks)


def test_a_tick_makes_an_execution_scheduled_at_the_tick(store: Store, reader: Reader) -> None:
    tick = _tick(tick_us=NOON - 30 * SECOND)
    (stored,) = _fire(store, tick)
    execution = reader.get(tick.call.id)

    assert stored is not None
    assert stored.is_new
    assert execution is not None
    assert (execution.scheduled_at, execution.came_from) == (to_moment(NOON - 30 * SECOND), "tick")


def test_a_tick_is_run_exactly_once(store: Store, reader: Reader) -> None:
    results = [_fire(store, _tick())[0] for _ in range(3)]

    assert [result is None for result in results] == [False, True, True]
    assert len(newest(reader, limit=10)) == 1


def test_a_tick_twice_in_one_turn_is_run_once(store: Store, reader: Reader) -> None:
    first, other, again = _fire(store, _tick(), _tick("daily"), _tick())

    assert first is not None
    assert other is not None
    assert again is None
    assert len(newest(reader, limit=10)) == 2


def test_another_form_of_the_schedule_does_not_repeat_a_tick(store: Store) -> None:
    _fire(store, _tick())

    assert _fire(store, _tick(canonical="0 0,1 * * *")) == [None]


def test_a_tick_moves_its_mark_ahead_and_never_back(store: Store) -> None:
    _fire(store, _tick(tick_us=NOON))
    _fire(store, _tick(tick_us=NOON - HOUR))

    assert store.marks() == [Mark("weekly", "0 * * * *", NOON)]


def test_a_tick_is_claimed_in_its_place(store: Store) -> None:
    late, early = _tick(tick_us=NOON), _tick("daily", tick_us=NOON - HOUR)
    _fire(store, late, early)

    assert ids(start(store, limits("weekly", "daily"))) == [early.call.id, late.call.id]


def test_a_tick_that_ran_early_under_a_wrong_clock_is_set_back(store: Store, clock: Clock) -> None:
    _fire(store, _tick(tick_us=NOON + HOUR))
    with store.transaction():
        assert store.step_back(limit=10) == 1

    assert len(start(store, limits("weekly"))) == 1


def test_no_ticks_are_no_work(store: Store) -> None:
    assert _fire(store) == []


def test_marks_are_set_also_backwards(store: Store) -> None:
    with store.transaction():
        store.set_marks([Mark("a", "x", NOON), Mark("b", "x", NOON)])
        store.set_marks([Mark("a", "x", NOON - HOUR)])

    assert store.marks() == [Mark("a", "x", NOON - HOUR), Mark("b", "x", NOON)]


def test_marks_of_crons_that_are_gone_are_forgotten(store: Store) -> None:
    with store.transaction():
        store.set_marks([Mark("a", "x", 1), Mark("a", "y", 2), Mark("b", "x", 3)])
        store.forget_marks([("a", "y"), ("c", "z")])

    assert store.marks() == [Mark("a", "y", 2)]


def test_ticks_are_shown_newest_first(store: Store, reader: Reader) -> None:
    _fire(store, *[_tick(tick_us=NOON + number * HOUR) for number in range(3)], _tick("daily"))

    assert reader.ticks("weekly", limit=2) == [NOON + 2 * HOUR, NOON + HOUR]


def test_gaps_are_shown_newest_first(store: Store, reader: Reader) -> None:
    gaps = [Gap(name, "x", NOON, NOON + HOUR, "the machine slept") for name in ("a", "b", "a")]
    with store.transaction():
        store.record_gaps(gaps[:2])
        store.record_gaps(gaps[2:])

    assert reader.gaps(limit=10) == [gaps[2], gaps[1], gaps[0]]
    assert reader.gaps("a", limit=1) == [gaps[2]]


def test_marks_ticks_and_executions_are_undone_together(store: Store, reader: Reader) -> None:
    with undone(store.transaction()):
        store.fire([_tick()])

    assert (store.marks(), reader.ticks("weekly", limit=1), newest(reader, limit=1)) == ([], [], [])
    assert _fire(store, _tick())[0] is not None
