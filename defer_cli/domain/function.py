"""What can run: a function's options and everything the runner knows of it without importing it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, TypeAlias, get_args

from defer_cli.domain.duration import parse_duration
from defer_cli.domain.errors import SettingError
from defer_cli.domain.retry import SMART_RETRY, RetryPolicy, retry_policy
from defer_cli.domain.size import parse_memory

AtLimit: TypeAlias = Literal["keep", "cancel"]
CatchUp: TypeAlias = Literal["latest", "none"]
Kind: TypeAlias = Literal["function", "cron"]

DEFAULT_MAX_DURATION = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionOptions:
    """How a function is run; checked when it is defined."""

    retry: RetryPolicy = SMART_RETRY
    concurrency: int | None = None
    max_duration: timedelta = DEFAULT_MAX_DURATION
    max_concurrency_action: AtLimit = "keep"
    catch_up: CatchUp = "latest"
    alert: bool = True
    """Whether people are told when it fails."""
    max_memory: int | None = None
    """In bytes: what its process may take when it runs alone; None: what ``worker_memory`` says."""


def function_options(
    *,
    retry: object = True,
    concurrency: object = None,
    max_duration: object = None,
    max_concurrency_action: object = "keep",
    catch_up: object = "latest",
    alert: object = True,
    max_memory: object = None,
) -> FunctionOptions:
    """Return checked options; raise ``SettingError`` that names the option."""
    if concurrency is not None:
        if isinstance(concurrency, bool) or not isinstance(concurrency, int):
            raise SettingError(
                f"concurrency is {concurrency!r}", where="concurrency", mend="use a whole number, or None for no limit"
            )
        if concurrency < 1:
            raise SettingError(
                f"concurrency is {concurrency}", where="concurrency", mend="use 1 or more, or None for no limit"
            )
    span = DEFAULT_MAX_DURATION if max_duration is None else parse_duration(max_duration, where="max_duration")
    if span <= timedelta(0):
        raise SettingError("max_duration is 0", where="max_duration", mend='use a span above 0, such as "30 min"')
    if not isinstance(alert, bool):
        raise SettingError(f"alert is {alert!r}", where="alert", mend="use True or False")
    return FunctionOptions(
        retry=retry_policy(retry),
        concurrency=concurrency,
        max_duration=span,
        max_concurrency_action=_one_of(max_concurrency_action, AtLimit, "max_concurrency_action"),
        catch_up=_one_of(catch_up, CatchUp, "catch_up"),
        alert=alert,
        max_memory=None if max_memory is None else parse_memory(max_memory, where="max_memory"),
    )


def _one_of(value: object, allowed: object, name: str) -> Any:
    choices = get_args(allowed)
    if value not in choices:
        raise SettingError(f"{name} is {value!r}", where=name, mend="use " + " or ".join(map(repr, choices)))
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a function, as ``inspect.signature`` tells it."""

    name: str
    kind: Literal["positional_only", "positional_or_keyword", "var_positional", "keyword_only", "var_keyword"]
    has_default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSpec:
    """A function as the discovery child saw it: plain data, safe to hold where user code is never imported."""

    name: str
    kind: Kind
    module: str
    file: str
    line: int
    options: FunctionOptions = field(default_factory=FunctionOptions)
    schedule: str | None = None
    parameters: tuple[Parameter, ...] = ()
    doc: str | None = None

    def names_of(self, count: int) -> list[str]:
        """Return the name that each of ``count`` arguments by position goes to; the starred parameter takes the rest.

        An argument more than there are parameters has the name "".
        """
        names = [one.name for one in self.parameters if one.kind in ("positional_only", "positional_or_keyword")]
        starred = next((one.name for one in self.parameters if one.kind == "var_positional"), "")
        return [*names[:count], *([starred] * (count - len(names)))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A breach of the folder's rule (``code`` DEF…), or a warning (``is_warning``)."""

    code: str
    problem: str
    file: str
    line: int | None = None
    mend: str | None = None
    function: str | None = None
    is_warning: bool = False

    @property
    def where(self) -> str:
        """``file`` or ``file:line``, relative to the project."""
        return f"{self.file}:{self.line}" if self.line else self.file
