"""Moments and spans on the command line, by one rule: a span counts from now, a time without a zone is UTC."""

from __future__ import annotations

from datetime import datetime, timedelta

from defer_cli.cli.failures import UsageError
from defer_cli.cli.filters import moment_of
from defer_cli.domain.duration import parse_duration
from defer_cli.domain.errors import SettingError

_MEND = 'write a span from now ("2h", "30 min"), "now", or a moment ("2026-11-24T08:00Z"; UTC if unsaid)'


def span_of(text: str, flag: str) -> timedelta:
    """Return a span given on the command line; a bare number is seconds. Raises ``SettingError``."""
    try:
        return parse_duration(float(text), where=flag)
    except ValueError:
        return parse_duration(text, where=flag)


def when_of(text: str, where: str, *, now: datetime) -> timedelta | datetime:
    """Return the span from now, or the moment in UTC, that ``text`` names. Raises ``UsageError``."""
    words = text.strip().lower()
    if words == "now":
        return timedelta(0)
    try:
        return span_of(words.removeprefix("in ").strip(), where)
    except SettingError as error:
        if "negative" in error.problem:
            raise UsageError(f"{text!r} is before now", where=where, mend=_MEND) from None
    if words.endswith("ago"):
        raise UsageError(f"{text!r} is before now", where=where, mend=_MEND)
    try:
        return moment_of(text, where, now=now)
    except UsageError as error:
        raise UsageError(error.problem, where=where, mend=_MEND) from None
