"""How long what has finished is kept: the limits, their settings, and what a look at them came to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from msgspec import Struct

from defer_cli.domain.duration import in_words, parse_duration
from defer_cli.domain.errors import SettingError
from defer_cli.domain.setting_tables import checked_table, given_in_table, table_name

_OFF = frozenset({"false", "off"})
_DIGITS = re.compile(r"[0-9][0-9_]{0,17}")
_BARE = re.compile(r"\s*[0-9.]+\s*")


class RetentionSettings(Struct, frozen=True, kw_only=True):
    """What is kept; None: without a limit."""

    executions: timedelta | None = timedelta(days=30)
    """How long after its end an execution is kept, with all that belongs to it."""
    most: int | None = 1_000_000
    """How many finished executions are kept."""
    logs: timedelta | None = timedelta(days=7)
    """How long after its end what an execution printed is kept."""

    @property
    def is_on(self) -> bool:
        """Whether anything is ever deleted."""
        return any(limit is not None for limit in (self.executions, self.most, self.logs))

    def in_words(self) -> str:
        """Return the limits for a person."""
        ages = [("executions", self.executions), ("logs", self.logs)]
        executions, logs = (f"{what} for {'ever' if age is None else in_words(age)}" for what, age in ages)
        return f"{executions}{'' if self.most is None else f', at most {self.most:,}'}; {logs}"


class Round(Struct, frozen=True, kw_only=True):
    """One look at all that is stored, and what was deleted; ``ended_us`` is None while it goes on."""

    began_us: int
    ended_us: int | None = None
    next_us: int | None = None
    """When the next one begins, where a runner is alive then."""
    executions: int = 0
    logs: int = 0


def resolve_retention(
    *, environ: Mapping[str, str], dotenv: Mapping[str, str | None], pyproject: Mapping[str, object]
) -> RetentionSettings:
    """Return the limits: ``DEFER_RETENTION_*`` of the environment, else of ``.env``, else ``[tool.defer.retention]``.

    ``pyproject`` is the table ``[tool.defer]``. Raises ``SettingError``.
    """
    mend = f'write {table_name("retention")}, and below it executions = "30 days"'
    checked_table("retention", _PARSERS, pyproject, mend=mend, mends={})
    chosen: dict[str, Any] = {}
    for name, (value, source) in given_retention(environ=environ, dotenv=dotenv, pyproject=pyproject).items():
        chosen[name] = _PARSERS[name](value, source)
    return RetentionSettings(**chosen)


def given_retention(
    *, environ: Mapping[str, str], dotenv: Mapping[str, str | None], pyproject: Mapping[str, object]
) -> dict[str, tuple[object, str]]:
    """Return each limit that is not left to its default, as it was written, and the source that wins."""
    return given_in_table("retention", _PARSERS, environ=environ, dotenv=dotenv, pyproject=pyproject)


def _is_off(value: object) -> bool:
    return value is False or (isinstance(value, str) and value.strip().lower() in _OFF)


def _age(value: object, where: str) -> timedelta | None:
    mend = 'write it with its unit, such as "30 days", or false to keep everything'
    if _is_off(value):
        return None
    if not isinstance(value, str) or _BARE.fullmatch(value):  # seconds elsewhere: here a slip would cost data
        raise SettingError(f"{value!r} is no time to keep what has finished", where=where, mend=mend)
    span = parse_duration(value, where=where)
    if not span:
        raise SettingError(f"{value!r} would keep nothing", where=where, mend=mend)
    return span


def _number(value: object, where: str) -> int | None:
    if _is_off(value):
        return None
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        value = int(value.strip())
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        mend = "write a whole number from 1 on, or false for no limit"
        raise SettingError(f"{value!r} is no number of executions to keep", where=where, mend=mend)
    return value


_PARSERS: dict[str, Callable[[object, str], object]] = {"executions": _age, "most": _number, "logs": _age}

MEANINGS = {
    "executions": "how long after its end an execution is kept, with all that belongs to it",
    "most": "how many finished executions are kept",
    "logs": "how long after its end what an execution printed is kept",
}
"""What each limit is for, as docs/options.md tells it."""
