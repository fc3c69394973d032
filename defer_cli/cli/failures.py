"""How an error leaves the command: its form on stderr, and its exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from defer_cli.cli.output import styled
from defer_cli.domain.errors import (
    ArgumentError,
    DeferError,
    DefinitionError,
    ExecutionFailed,
    ExecutionNotFound,
    SettingError,
    StoreError,
)
from defer_cli.domain.visible import visible

if TYPE_CHECKING:
    from defer_cli.domain.function import Problem

OK, FAILED, USAGE, INVALID, NOT_FOUND, NO_STORE, EXECUTION_FAILED = range(7)
TIMED_OUT, INTERRUPTED = 124, 130

_CODES: tuple[tuple[type[DeferError], int], ...] = (
    (ExecutionFailed, EXECUTION_FAILED),
    (ExecutionNotFound, NOT_FOUND),
    (StoreError, NO_STORE),
    (ArgumentError, USAGE),
    (SettingError, INVALID),
    (DefinitionError, INVALID),
)


class UsageError(DeferError):
    """The command line does not say what to do."""


class NotFound(DeferError):
    """What the command line names is not there."""


def exit_code_of(error: DeferError) -> int:
    """Return the exit code that scripts rely on."""
    if isinstance(error, NotFound):
        return NOT_FOUND
    if isinstance(error, UsageError) or _is_of_a_flag(error):
        return USAGE
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)


def _is_of_a_flag(error: DeferError) -> bool:
    from defer_cli.domain.settings import UnsafeHost

    return isinstance(error, UnsafeHost) or (isinstance(error, SettingError) and (error.where or "").startswith("--"))


def show_error(error: DeferError) -> None:
    """Print an error on stderr."""
    _show("error", getattr(error, "code", None), error.problem, error.where, error.mend)


def show_problems(problems: Sequence[Problem]) -> None:
    """Print breaches of the folder's rule, then warnings."""
    for problem in sorted(problems, key=lambda problem: problem.is_warning):
        kind = "warning" if problem.is_warning else "error"
        _show(kind, problem.code, problem.problem, problem.where, problem.mend)


def show_warning(text: str, *, where: str | None = None, mend: str | None = None) -> None:
    """Print a warning on stderr."""
    _show("warning", None, text, where, mend)


def _show(kind: str, code: str | None, problem: str, where: str | None, mend: str | None) -> None:
    head = f"{kind}[{code}]:" if code else f"{kind}:"
    lines = [f"{styled(head, 'red' if kind == 'error' else 'yellow', sys.stderr)} {_lines(problem)}"]
    if where:
        lines.append(f"  where: {visible(where)}")
    if mend:
        lines.append(f"  mend:  {_lines(mend)}")
    print("\n".join(lines), file=sys.stderr)


def _lines(text: str) -> str:
    """Our own words may have several lines; what a line holds may come from anywhere."""
    return "\n         ".join(visible(line) for line in text.splitlines())
