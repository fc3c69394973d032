"""A pause is kept by name; what it skips is one row, however many ticks that are."""

from __future__ import annotations

import pytest

from defer_cli.store.contract import Gap, Reader, Store
from tests.store.harness import NOON, SECOND, Clock, Engine, undone

HOUR = 3_600 * SECOND


def _pause(store: Store, function: str = "weekly") -> bool:
    with store.transaction():
        return store.pause(function)


def _resume(store: Store, function: str = "weekly") -> bool:
    with store.transaction():
        return store.resume(function)


def _gap(after: int, until: int, *, function: str = "weekly", canonical: str = "x", reason: str = "paused") -> Gap:
    return Gap(function, canonical, NOON + after * HOUR, NOON + until * HOUR, reason)


def _lengthen(store: Store, *gaps: Gap) -> None:
    for gap in gaps:
        with store.transaction():
            store.lengthen_gaps([gap])


def test_nothing_is_paused_at_first(store: Store, reader: Reader) -> None:
    assert (store.paused(), reader.paused()) == ({}, {})


def test_a_pause_is_kept_with_its_moment(store: Store, reader: Reader) -> None:
    assert _pause(store) is True
    assert store.paused() == reader.paused() == {"weekly": NOON}


def test_a_second_pause_leaves_the_moment_of_the_first(store: Store, clock: Clock) -> None:
    _pause(store)
    clock.forward(60)

    assert _pause(store) is False
    assert store.paused() == {"weekly": NOON}


def test_a_resume_ends_one_pause_and_no_other(store: Store) -> None:
    _pause(store)
    _pause(store, "daily")

    assert [_resume(store), _resume(store)] == [True, False]
    assert store.paused() == {"daily": NOON}


def test_a_pause_outlives_its_owner(engine: Engine, store: Store, clock: Clock) -> None:
    _pause(store)
    store.close()
    again = engine.open(clock)

    assert again.paused() == {"weekly": NOON}
    again.close()


def test_a_pause_is_undone_with_its_transaction(store: Store) -> None:
    with undone(store.transaction()):
        store.pause("weekly")

    assert store.paused() == {}


def test_gaps_that_follow_each_other_are_one_row(store: Store, reader: Reader) -> None:
    _lengthen(store, *[_gap(hour, hour + 1) for hour in range(100)])

    assert reader.gaps(limit=10) == [_gap(0, 100)]


def test_a_gap_that_is_known_already_changes_nothing(store: Store, reader: Reader) -> None:
    _lengthen(store, _gap(0, 5), _gap(2, 3))

    assert reader.gaps(limit=10) == [_gap(0, 5)]


@pytest.mark.parametrize(
    "other",
    [_gap(2, 3), _gap(1, 2, function="daily"), _gap(1, 2, canonical="y"), _gap(1, 2, reason="no runner was up")],
    ids=["later", "another-function", "another-schedule", "another-reason"],
)
def test_a_gap_that_goes_on_no_other_is_a_row_of_its_own(store: Store, reader: Reader, other: Gap) -> None:
    _lengthen(store, _gap(0, 1), other)

    assert reader.gaps(limit=10) == [other, _gap(0, 1)]


def test_only_the_last_gap_of_a_cron_is_gone_on(store: Store, reader: Reader) -> None:
    _lengthen(store, _gap(0, 1), _gap(5, 6), _gap(6, 7))

    assert reader.gaps(limit=10) == [_gap(5, 7), _gap(0, 1)]


def test_a_gap_of_another_reason_in_between_does_not_part_a_pause(store: Store, reader: Reader) -> None:
    between = _gap(0, 1, reason="no runner was up")
    _lengthen(store, _gap(0, 1), between, _gap(1, 2))

    assert reader.gaps(limit=10) == [between, _gap(0, 2)]


def test_gaps_recorded_plainly_stay_apart(store: Store, reader: Reader) -> None:
    with store.transaction():
        store.record_gaps([_gap(0, 1), _gap(1, 2)])

    assert len(reader.gaps(limit=10)) == 2
