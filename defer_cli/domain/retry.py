"""How long to wait before an execution is tried again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TypeAlias, TypedDict

from defer_cli.domain.errors import SettingError

_LONGEST_SECONDS = 36_500 * 86_400  # as for every duration; a timedelta overflows far beyond


class RetryFields(TypedDict, total=False):
    """The fields of a ``RetryPolicy`` as a plain dict; one left out takes its default."""

    max_attempts: int
    initial_interval: float
    randomization_factor: float
    multiplier: float
    max_interval: float


def _whole_number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise SettingError(f"{name} is {value!r}", where=f"retry.{name}", mend="use a whole number")
    if value < 0:
        raise SettingError(
            f"{name} is {value}",
            where=f"retry.{name}",
            mend="use 0 for no retry, or the number of retries after the first run",
        )


def _number(name: str, value: object, *, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SettingError(f"{name} is {value!r}", where=f"retry.{name}", mend="use a number")
    if not 0 <= value <= most:  # NaN and infinity are outside too
        raise SettingError(
            f"{name} is {value!r}", where=f"retry.{name}", mend=f"use a finite number from 0 to {most:,.0f}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential back-off with jitter; the defaults are Defer's Smart Retry. Intervals in seconds."""

    max_attempts: int = 13
    """Retries after the first run."""
    initial_interval: float = 30.0
    """Seconds before the first retry."""
    randomization_factor: float = 0.5
    """How far a wait may be from its interval: 0.5 is from half of it to one and a half."""
    multiplier: float = 1.5
    """What each interval is of the one before."""
    max_interval: float = 600.0
    """Seconds that an interval does not exceed."""

    def __post_init__(self) -> None:
        _whole_number("max_attempts", self.max_attempts)
        _number("initial_interval", self.initial_interval, most=_LONGEST_SECONDS)
        _number("randomization_factor", self.randomization_factor, most=1)
        _number("multiplier", self.multiplier, most=1_000_000)
        _number("max_interval", self.max_interval, most=_LONGEST_SECONDS)

    def delay_before(self, retry: int, *, dice: Callable[[], float]) -> timedelta | None:
        """Return the wait before ``retry`` (from 1), or None when no retry is left."""
        if retry > self.max_attempts:
            return None
        try:
            interval = min(self.initial_interval * float(self.multiplier) ** (retry - 1), self.max_interval)
        except OverflowError:  # a huge exponent: the ceiling is the answer anyway
            interval = self.max_interval if self.initial_interval else 0.0
        spread = self.randomization_factor * interval
        return timedelta(seconds=interval - spread + 2 * spread * dice())


Retry: TypeAlias = bool | int | RetryPolicy | RetryFields

SMART_RETRY = RetryPolicy()
NO_RETRY = RetryPolicy(max_attempts=0)
_FIELD_NAMES = tuple(field.name for field in fields(RetryPolicy))


def retry_policy(value: object) -> RetryPolicy:
    """Return the policy that an option ``retry=value`` stands for; raise ``SettingError`` if it stands for none."""
    if value is True:
        return SMART_RETRY
    if value is False:
        return NO_RETRY
    if isinstance(value, RetryPolicy):
        return value
    if isinstance(value, int):
        return RetryPolicy(max_attempts=value)
    if isinstance(value, Mapping):
        return _policy_from_fields(value)
    raise SettingError(
        f"retry is {value!r}, a {type(value).__name__}",
        where="retry",
        mend="use True (Smart Retry), False, a number of retries, or RetryPolicy(...)",
    )


def _policy_from_fields(given: Mapping[object, object]) -> RetryPolicy:
    unknown = [name for name in given if name not in _FIELD_NAMES]
    if unknown:
        raise SettingError(
            f"retry has no field {unknown[0]!r}", where="retry", mend=f"its fields are {', '.join(_FIELD_NAMES)}"
        )
    return RetryPolicy(**given)  # type: ignore[arg-type]  # names were checked above, values are in __post_init__
