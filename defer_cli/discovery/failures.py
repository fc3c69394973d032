"""Why a file cannot be imported, told from the user's own line of the traceback."""

from __future__ import annotations

import os
from pathlib import Path
from traceback import walk_tb

from msgspec import Struct

from defer_cli.discovery.scan import relative_to
from defer_cli.domain.function import Problem

_LONGEST = 300
_SCRIPT_MEND = 'put what runs only as a script under `if __name__ == "__main__":`'


class _Place(Struct, frozen=True):
    file: str
    line: int


def explain_failure(error: BaseException, *, file: Path, module: str, project: Path) -> Problem:
    """Return the problem DEF008 of ``file``, whose import as ``module`` raised ``error``."""
    places = _user_places(error, project)
    own = [place for place in places if place.file == str(file)]
    line = own[-1].line if own else None
    circle = _circle(error, places, file)
    if circle is not None:
        other, line = circle
        return _problem(
            file,
            project,
            line,
            f"cannot be imported: it and {relative_to(project, other)} import each other",
            f"import the module, not the name: `from . import {Path(other).stem}`,"
            f" and write `{Path(other).stem}.{Path(other).stem}(...)` in the function",
        )
    culprit = places[-1] if places else None
    if culprit is not None and culprit.file != str(file):
        where = f"{relative_to(project, culprit.file)}:{culprit.line}"
        return _problem(
            file, project, line, f"cannot be imported because of {where}: {_in_words(error)}", f"mend {where} first"
        )
    return _problem(file, project, line, f"cannot be imported: {_in_words(error)}", _mend(error, module))


def _problem(file: Path, project: Path, line: int | None, problem: str, mend: str) -> Problem:
    return Problem(code="DEF008", problem=problem, file=relative_to(project, file), line=line, mend=mend)


def _user_places(error: BaseException, project: Path) -> list[_Place]:
    """Return the lines of the project that led to ``error``, outermost first."""
    places = [_Place(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        places.append(_Place(os.path.abspath(error.filename), error.lineno))
    return [place for place in places if _is_of_user(place.file, project)]


def _is_of_user(file: str, project: Path) -> bool:
    path = Path(file)
    return path.is_relative_to(project) and "site-packages" not in path.relative_to(project).parts


def _circle(error: BaseException, places: list[_Place], file: Path) -> tuple[str, int] | None:
    """Return the other file of a circle that ``file`` is part of, and the line here that enters it."""
    if "partially initialized module" not in _text_of(error) or not places:
        return None
    half_done = getattr(error, "path", None) or getattr(getattr(error, "obj", None), "__file__", None)
    chain = [place.file for place in places]
    if half_done in chain:
        chain = chain[chain.index(half_done) :]
    if str(file) not in chain:
        return None
    here = len(places) - len(chain) + chain.index(str(file))
    others = [place.file for place in places[here + 1 :] if place.file != str(file)]
    if not others:
        return None
    return others[0], places[here].line


def _in_words(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it ends the process: sys.exit({'' if error.code is None else repr(error.code)})"
    kind = type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{kind}: {error.msg}: `{(error.text or '').strip()}`"
    message = _text_of(error)
    message = message if len(message) <= _LONGEST else message[:_LONGEST] + "…"
    return f"{kind}: {message}" if message else kind


def _text_of(error: BaseException) -> str:
    """Return the error's own words on one line; its class is the user's, and may raise when asked."""
    try:
        return " ".join(str(error).split())
    except Exception:
        return ""


def _mend(error: BaseException, module: str) -> str:
    if isinstance(error, SystemExit):
        return _SCRIPT_MEND
    if isinstance(error, SyntaxError):
        return "correct this line, or the one before it"
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = module.partition(".")[0]
        if error.name.partition(".")[0] == package:
            return f"mend the import, or add {error.name.replace('.', '/')}.py"
        return f"install {error.name.partition('.')[0]!r} into the environment that runs defer, or mend the import"
    if isinstance(error, KeyError):
        return "if it is a variable, set it in .env or in the environment (defer's own secrets are not passed on)"
    return "correct this line; what needs other services belongs into the function, not at the top of the file"
