"""Durations in buckets, and what can be told from their counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defer_cli.domain.history import BOUNDS_US, UNKNOWN, bucket_of, duration_of, quantile

_DAY_US = 86_400_000_000
_durations = st.integers(BOUNDS_US[0], BOUNDS_US[-1])


@given(duration_us=_durations)
def test_the_duration_of_a_bucket_is_at_most_12_percent_off(duration_us: int) -> None:
    assert duration_of(bucket_of(duration_us)) == pytest.approx(duration_us, rel=0.12)


@given(one=st.integers(-_DAY_US, 90 * _DAY_US), other=st.integers(-_DAY_US, 90 * _DAY_US))
def test_a_longer_run_is_in_no_lower_bucket(one: int, other: int) -> None:
    shorter, longer = sorted((one, other))

    assert bucket_of(shorter) <= bucket_of(longer)
    assert duration_of(bucket_of(shorter)) <= duration_of(bucket_of(longer))


@pytest.mark.parametrize(
    ("duration_us", "told_us"),
    [(-5, 1_000), (0, 1_000), (999, 1_000), (90 * _DAY_US, BOUNDS_US[-1])],
    ids=["a clock set back", "nothing", "less than a millisecond", "three months"],
)
def test_what_is_out_of_bounds_is_told_as_the_bound(duration_us: int, told_us: int) -> None:
    assert duration_of(bucket_of(duration_us)) == told_us


def test_the_longest_bound_is_29_days() -> None:
    assert 29 * _DAY_US < BOUNDS_US[-1] < 30 * _DAY_US


@given(
    runs=st.lists(_durations, min_size=1, max_size=60),
    share=st.sampled_from([0.5, 0.95, 1.0]),
)
def test_a_quantile_is_that_of_the_runs_within_12_percent(runs: list[int], share: float) -> None:
    counts: dict[int, int] = {}
    for run in runs:
        counts[bucket_of(run)] = counts.get(bucket_of(run), 0) + 1
    exact = next(run for place, run in enumerate(sorted(runs), start=1) if place >= share * len(runs))

    assert quantile(counts, share) == pytest.approx(exact, rel=0.12)


def test_runs_of_unknown_time_are_in_no_quantile() -> None:
    assert quantile({UNKNOWN: 90, bucket_of(2_000_000): 1}, 0.5) == pytest.approx(2_000_000, rel=0.12)
    assert quantile({UNKNOWN: 90}, 0.5) is None
    assert quantile({}, 0.5) is None
