"""What `defer` has wrapped in this process: where, with which options, and whether it may be wrapped at all."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import FrameType, FunctionType, MethodType
from typing import Any

from defer_cli.domain.errors import CronError, DefinitionError, SettingError
from defer_cli.domain.function import FunctionOptions, Kind, Problem, function_options

OPTION_NAMES = ("retry", "concurrency", "max_duration", "max_concurrency_action", "alert", "max_memory")
CRON_OPTION_NAMES = (*OPTION_NAMES, "catch_up")
_OWN_FOLDER = os.path.dirname(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One call of ``defer(fn)`` or ``defer.cron(fn, …)``; file and line are where the user's module made it."""

    fn: Callable[..., Any]
    name: str
    kind: Kind
    file: str
    line: int
    options: FunctionOptions
    schedule: str | None = None


_definitions: list[Definition] = []
_problems: list[Problem] = []
_is_tolerant = False


def definitions() -> tuple[Definition, ...]:
    """Return what was defined so far, in order; copies made by ``assign_options`` are not definitions."""
    return tuple(_definitions)


def problems() -> tuple[Problem, ...]:
    """Return the problems that were kept instead of raised; their files are absolute."""
    return tuple(_problems)


def keep_problems() -> None:
    """Keep problems of definitions from now on instead of raising them, so that one does not hide the next."""
    global _is_tolerant
    _is_tolerant = True


def define(
    fn: Callable[..., Any], *, kind: Kind, options: Mapping[str, object], expression: object = None
) -> Definition:
    """Check and record a definition; raise its first problem as ``DefinitionError``."""
    file, line = where_defined()
    nameless = _why_nameless(fn)
    name = f"<{type(fn).__name__}>" if nameless else str(getattr(fn, "__name__", ""))
    report = partial(_report, file=file, line=line, name=name)
    if nameless:
        report("DEF009", f"{nameless[0]} has no name of its own", nameless[1])
    else:
        for code, problem, mend in _problems_of(fn, name, kind):
            report(code, problem, mend)
    checked = FunctionOptions()
    try:
        checked = _checked_options(options, CRON_OPTION_NAMES if kind == "cron" else OPTION_NAMES)
    except SettingError as error:
        report("DEF010", _with_option_name(error), error.mend)
    if kind == "cron":
        try:
            _check_expression(expression)
        except CronError as error:
            report("DEF006", f"cron {name!r} {error.problem.removeprefix('cron ')}", error.mend)
    definition = Definition(
        fn=fn,
        name=name,
        kind=kind,
        file=file,
        line=line,
        options=checked,
        schedule=str(expression) if kind == "cron" else None,
    )
    _definitions.append(definition)
    return definition


def refuse(code: str, problem: str, *, name: str, mend: str) -> None:
    """Report a definition that cannot even be recorded."""
    file, line = where_defined()
    _report(code, problem, mend, file=file, line=line, name=name)


def where_defined() -> tuple[str, int]:
    """Return the absolute file and the line of the first ``<module>`` frame outward.

    So a helper in another module that calls ``defer`` defines for the file that uses the helper.
    """
    nearest: tuple[str, int] | None = None
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  # inspect.stack() reads source files
    while frame is not None:
        code = frame.f_code
        if code.co_name == "<module>" and not code.co_filename.startswith("<"):
            return os.path.abspath(code.co_filename), frame.f_lineno
        if nearest is None and not code.co_filename.startswith(_OWN_FOLDER):
            nearest = code.co_filename, frame.f_lineno
        frame = frame.f_back
    return nearest or ("<unknown>", 0)


def _report(code: str, problem: str, mend: str | None, *, file: str, line: int, name: str) -> None:
    if not _is_tolerant:
        raise DefinitionError(code, problem, where=f"{_shown(file)}:{line}", mend=mend)
    _problems.append(Problem(code=code, problem=problem, file=file, line=line, mend=mend, function=name))


def _shown(file: str) -> str:
    try:
        inside = os.path.relpath(file)
    except (OSError, ValueError):  # the working directory is gone
        return file
    return file if inside.startswith("..") else inside


def _checked_options(options: Mapping[str, object], allowed: tuple[str, ...]) -> FunctionOptions:
    for name in options:
        if name not in allowed:
            raise SettingError(f"there is no option {name!r}", mend=f"the options are {', '.join(allowed)}")
    return function_options(**options)


def _with_option_name(error: SettingError) -> str:
    option = error.where or ""
    last = option.rpartition(".")[2]
    if last and error.problem.startswith(last):
        return option + error.problem.removeprefix(last)
    return f"{option}: {error.problem}" if option else error.problem


def _check_expression(expression: object) -> None:
    if expression is None:
        raise CronError("has no schedule", mend='give a cron expression: @defer.cron("0 8 * * MON")')
    from defer_cli.domain.cron import Cron

    Cron.parse(expression)


def _problems_of(fn: object, name: str, kind: Kind) -> Iterator[tuple[str, str, str]]:
    """Yield (code, problem, mend) for what makes ``fn`` impossible to run in the background."""
    if not inspect.iscoroutinefunction(fn):
        yield "DEF004", *_why_not_async(fn, name)
    if kind == "cron":
        found = parameter_names(fn)
        if found:
            yield (
                "DEF005",
                f"cron {name!r} has parameters: {', '.join(found)}",
                "a schedule passes no arguments: read what it needs inside the function"
                + (f"; {WRAPPED_HINT}" if hasattr(fn, "__wrapped__") else ""),
            )


WRAPPED_HINT = "a decorator that passes arguments of its own must set __signature__ on its wrapper"


def parameter_names(fn: object) -> list[str]:
    """Return the parameters of ``fn`` as they are written, stars included."""
    stars: dict[object, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    try:
        parameters = inspect.signature(fn).parameters.values()  # type: ignore[arg-type]  # any callable, as defined
    except (TypeError, ValueError):
        return []
    return [stars.get(parameter.kind, "") + parameter.name for parameter in parameters]


def _why_nameless(fn: object) -> tuple[str, str] | None:
    mend = "write it as `async def` at the top of the file"
    if isinstance(fn, FunctionType):
        return ("a lambda", mend) if fn.__name__ == "<lambda>" else None
    if isinstance(fn, MethodType):
        return f"the bound method {fn.__qualname__!r}", f"{mend}, and call the method inside"
    if isinstance(fn, partial):
        return "a functools.partial", f"{mend}, and pass the arguments inside"
    if inspect.iscoroutine(fn):
        fn.close()  # it will never be awaited, and should not warn of that
        return f"the coroutine {fn.__qualname__!r}", "pass the function itself, without calling it"
    if callable(fn) and getattr(fn, "__name__", None) and not isinstance(fn, type | staticmethod | classmethod):
        return None
    article = "an" if type(fn).__name__[0].lower() in "aeiou" else "a"
    what = f"the class {fn.__name__!r}" if isinstance(fn, type) else f"{article} {type(fn).__name__} object"
    return what, mend


def _why_not_async(fn: object, name: str) -> tuple[str, str]:
    if inspect.isasyncgenfunction(fn):
        return (
            f"{name!r} is an async generator",
            "remove its `yield`: return a list, or call another background function for each item",
        )
    inner = _async_function_inside(fn)
    if inner is not None:
        return (
            f"{name!r} is a sync wrapper around the async function {inner!r}",
            "make that decorator's wrapper `async def` and `await` the function in it",
        )
    return (
        f"{name!r} is not `async def`",
        "declare it `async def`, and wrap blocking calls in `await asyncio.to_thread(...)`",
    )


def _async_function_inside(fn: object) -> str | None:
    unwrapped = getattr(fn, "__wrapped__", None)
    cells = [cell.cell_contents for cell in getattr(fn, "__closure__", None) or () if _is_filled(cell)]
    for candidate in (unwrapped, *cells):
        if inspect.iscoroutinefunction(candidate):
            return str(candidate.__name__)
    return None


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # reading an empty cell raises
    except ValueError:
        return False
    return True
