"""`defer` and `defer.cron`: decorators that turn a plain async function into a background function or a cron."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, ParamSpec, TypeVar, overload

from defer_cli.background import BackgroundFunction, CronFunction
from defer_cli.definitions import define, refuse
from defer_cli.domain.duration import Duration
from defer_cli.domain.function import AtLimit, CatchUp
from defer_cli.domain.retry import Retry
from defer_cli.domain.size import Size

P = ParamSpec("P")
R = TypeVar("R")


class _Defer:
    """``defer`` and ``defer.cron``: as decorators, with or without options, or called with the function.

    ``retry``: True (Smart Retry: 13 retries), a number of retries, False, a ``RetryPolicy`` or its fields.
    ``concurrency``: how many executions may run at once; None for no limit.
    ``max_duration``: seconds or a duration such as ``"5 min"``; 30 minutes by default.
    ``max_concurrency_action``: what becomes of the others at that limit: ``"keep"`` or ``"cancel"``.
    ``alert``: whether people are told when it fails, where alerts are set up; True by default.
    ``max_memory``: bytes or a size such as ``"512 MB"`` that its process may take; over it, it fails (``ER0002``).
    ``catch_up`` (crons): of the ticks missed while no runner was up, run the ``"latest"`` or ``"none"``.
    Raises ``DefinitionError`` when the function cannot run in the background or an option is wrong.
    """

    @overload
    def __call__(
        self,
        fn: Callable[P, Coroutine[Any, Any, R]],
        /,
        *,
        retry: Retry = ...,
        concurrency: int | None = ...,
        max_duration: Duration = ...,
        max_concurrency_action: AtLimit = ...,
        alert: bool = ...,
        max_memory: Size | None = ...,
    ) -> BackgroundFunction[P, R]: ...

    @overload
    def __call__(
        self,
        /,
        *,
        retry: Retry = ...,
        concurrency: int | None = ...,
        max_duration: Duration = ...,
        max_concurrency_action: AtLimit = ...,
        alert: bool = ...,
        max_memory: Size | None = ...,
    ) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], BackgroundFunction[P, R]]: ...

    def __call__(self, *given: Any, **options: Any) -> Any:
        """Make a background function of an ``async def``."""
        if not given:
            return partial(_background, options=options)
        fn, *rest = given
        if rest or isinstance(fn, str):
            refuse("DEF010", "defer takes a function and named options", name="", mend=_CRON_MEND)
        return _background(fn, options=options)

    @overload
    def cron(
        self,
        fn: Callable[[], Coroutine[Any, Any, R]],
        expression: str,
        /,
        *,
        retry: Retry = ...,
        concurrency: int | None = ...,
        max_duration: Duration = ...,
        max_concurrency_action: AtLimit = ...,
        alert: bool = ...,
        max_memory: Size | None = ...,
        catch_up: CatchUp = ...,
    ) -> CronFunction[R]: ...

    @overload
    def cron(
        self,
        expression: str,
        /,
        *,
        retry: Retry = ...,
        concurrency: int | None = ...,
        max_duration: Duration = ...,
        max_concurrency_action: AtLimit = ...,
        alert: bool = ...,
        max_memory: Size | None = ...,
        catch_up: CatchUp = ...,
    ) -> Callable[[Callable[[], Coroutine[Any, Any, R]]], CronFunction[R]]: ...

    def cron(self, *given: Any, **options: Any) -> Any:
        """Make a cron of an ``async def`` without parameters; the expression is five fields, in UTC."""
        if len(given) == 1 and not callable(given[0]):
            return partial(_cron, expression=given[0], options=options)
        if not given or len(given) > 2 or (callable(given[-1]) and len(given) == 2):
            refuse("DEF006", "defer.cron takes a function and a cron expression", name="", mend=_CRON_MEND)
        fn, *expression = given or (None,)
        return _cron(fn, expression=expression[0] if expression else None, options=options)

    def __repr__(self) -> str:
        return "<defer>"


defer = _Defer()
_CRON_MEND = 'write @defer(retry=5), or @defer.cron("0 8 * * MON")'


def _background(fn: Any, *, options: Mapping[str, object]) -> Any:
    if isinstance(fn, BackgroundFunction | CronFunction):
        return _wrapped_already(fn)
    return BackgroundFunction(define(fn, kind="function", options=options))


def _cron(fn: Any, *, expression: object, options: Mapping[str, object]) -> Any:
    if isinstance(fn, BackgroundFunction | CronFunction):
        return _wrapped_already(fn)
    return CronFunction(define(fn, kind="cron", options=options, expression=expression))


def _wrapped_already(wrapper: BackgroundFunction[..., Any] | CronFunction[Any]) -> object:
    refuse(
        "DEF009",
        f"{wrapper.name!r} is wrapped already",
        name=wrapper.name,
        mend="wrap it once; for options of a single call use assign_options",
    )
    return wrapper
