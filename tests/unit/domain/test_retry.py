"""How long a retry waits, and which policies there are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defer_cli.domain.errors import SettingError
from defer_cli.domain.retry import NO_RETRY, SMART_RETRY, RetryPolicy, retry_policy

policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(0, 1000),
    initial_interval=st.floats(0, 36_500 * 86_400),
    randomization_factor=st.floats(0, 1),
    multiplier=st.floats(0, 1_000_000),
    max_interval=st.floats(0, 36_500 * 86_400),
)


def seconds(policy: RetryPolicy, retry: int, dice: float) -> float:
    wait = policy.delay_before(retry, dice=lambda: dice)
    assert wait is not None
    return wait.total_seconds()


@pytest.mark.parametrize("retry", range(1, 14))
def test_smart_retry_follows_its_formula(retry: int) -> None:
    assert seconds(SMART_RETRY, retry, 0.5) == pytest.approx(min(30 * 1.5 ** (retry - 1), 600))


@pytest.mark.parametrize(("dice", "share"), [(0.0, 0.5), (0.25, 0.75), (0.5, 1.0), (1.0, 1.5)])
def test_the_wait_is_drawn_evenly_around_the_interval(dice: float, share: float) -> None:
    assert seconds(SMART_RETRY, 1, dice) == pytest.approx(30 * share)


def test_thirteen_retries_are_all_there_are() -> None:
    assert SMART_RETRY.delay_before(14, dice=lambda: 0.5) is None


def test_no_retry_has_not_even_the_first() -> None:
    assert NO_RETRY.delay_before(1, dice=lambda: 0.5) is None


@given(policies, st.integers(1, 1000), st.floats(0, 1))
def test_every_wait_lies_between_its_bounds(policy: RetryPolicy, retry: int, dice: float) -> None:
    wait = policy.delay_before(retry, dice=lambda: dice)

    if retry > policy.max_attempts:
        assert wait is None
    else:
        assert wait is not None
        ceiling = timedelta(seconds=policy.max_interval * (1 + policy.randomization_factor))
        assert timedelta(0) <= wait <= ceiling + timedelta(milliseconds=1)


def test_a_huge_exponent_waits_for_the_longest_interval() -> None:
    policy = RetryPolicy(max_attempts=100_000, randomization_factor=0)

    assert seconds(policy, 100_000, 0.5) == 600


def test_an_interval_of_zero_stays_zero() -> None:
    policy = RetryPolicy(max_attempts=1000, initial_interval=0, multiplier=1_000_000)

    assert seconds(policy, 1000, 1.0) == 0


@pytest.mark.parametrize(
    ("value", "policy"),
    [
        (True, SMART_RETRY),
        (False, NO_RETRY),
        (0, NO_RETRY),
        (1, RetryPolicy(max_attempts=1)),
        (5, RetryPolicy(max_attempts=5)),
        ({}, SMART_RETRY),
        ({"max_attempts": 2, "initial_interval": 0}, RetryPolicy(max_attempts=2, initial_interval=0)),
        (RetryPolicy(multiplier=3), RetryPolicy(multiplier=3)),
    ],
)
def test_an_option_stands_for_a_policy(value: object, policy: RetryPolicy) -> None:
    assert retry_policy(value) == policy


@pytest.mark.parametrize("value", [None, "3", 2.0, [3]])
def test_what_is_no_retry_option_is_refused(value: object) -> None:
    with pytest.raises(SettingError, match="use True"):
        retry_policy(value)


def test_an_unknown_field_is_refused_by_name() -> None:
    with pytest.raises(SettingError, match="no field 'max_retries'"):
        retry_policy({"max_retries": 3})


@pytest.mark.parametrize(
    "fields",
    [
        {"max_attempts": -1},
        {"max_attempts": True},
        {"max_attempts": 3.0},
        {"initial_interval": -1},
        {"initial_interval": float("nan")},
        {"initial_interval": True},
        {"initial_interval": "30"},
        {"randomization_factor": 1.1},
        {"multiplier": float("inf")},
        {"multiplier": 10**400},
        {"max_interval": 1e300},
        {"max_interval": -0.1},
    ],
    ids=str,
)
def test_a_wrong_field_is_refused_where_it_stands(fields: dict[str, Any]) -> None:
    (name,) = fields

    with pytest.raises(SettingError) as refused:
        RetryPolicy(**fields)

    assert refused.value.where == f"retry.{name}"
    assert refused.value.mend
