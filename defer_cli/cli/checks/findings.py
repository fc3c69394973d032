"""What a check found, and what becomes of a check that fails itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from defer_cli.domain.errors import DeferError


class Level(StrEnum):
    """How bad it is: a warning may be meant, a problem keeps defer from its work or its promises."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the doctor's; ``mend`` is there wherever it is not ok."""

    check: str
    level: Level
    words: str
    mend: str | None = None


def ok(check: str, words: str) -> Finding:
    """Return a finding that needs nothing."""
    return Finding(check=check, level=Level.OK, words=words)


def warning(check: str, words: str, mend: str) -> Finding:
    """Return a finding that may be meant."""
    return Finding(check=check, level=Level.WARNING, words=words, mend=mend)


def problem(check: str, words: str, mend: str) -> Finding:
    """Return a finding that has to be mended."""
    return Finding(check=check, level=Level.PROBLEM, words=words, mend=mend)


def refused(check: str, error: DeferError) -> Finding:
    """Return the problem that an error stands for."""
    words = " ".join(error.problem.split())
    words = f"{words} ({error.where})" if error.where else words
    return problem(check, words, error.mend or "mend what it names, then run `defer doctor` again")


def standing_alone(check: str, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Return what ``look`` finds up to its end, or up to the error that ended it; that is a problem of its own."""
    found: list[Finding] = []
    try:
        found.extend(look())
    except DeferError as error:
        found.append(refused(check, error))
    except OSError as error:
        words = f"{error.strerror or error} ({error.filename})" if error.filename else str(error)
        found.append(problem(check, words, "let the user that runs defer read it"))
    except Exception as error:
        mend = "this is a fault in defer: please report it with this line"
        found.append(problem(check, f"the check itself failed: {type(error).__name__}: {error}", mend))
    return found
