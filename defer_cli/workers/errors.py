"""An exception as it is kept: type, message, traceback with the user's frames first."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from defer_cli.link.frames import FrameError

LONGEST_TEXT = 64 * 1024
_MOST_FRAMES = 50
_LIBRARY = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_AROUND = os.path.dirname(os.path.dirname(_LIBRARY))
_PLACES = tuple(
    os.path.abspath(path) + os.sep
    for path in {
        sys.prefix,
        sys.base_prefix,
        os.path.dirname(os.__file__),
        *([_AROUND] if os.path.basename(_AROUND) == "site-packages" else []),  # of a single file: elsewhere
    }
)


def describe(error: BaseException, *, project: str, is_retryable: bool = True) -> FrameError:
    """Return ``error`` for its way to the runner; a part that cannot be had never costs the others."""
    return FrameError(
        type=_part("its type", lambda: _type_name(type(error))),
        message=_part("its str()", lambda: str(error)),
        traceback=_part("its traceback", lambda: _traceback(error, project)),
        location=_location(error.__traceback__, project),
        is_retryable=is_retryable,
    )


def plain_error(kind: str, message: str, *, is_retryable: bool, location: str | None = None) -> FrameError:
    """Return an error that no exception of the user's stands behind."""
    return FrameError(kind, _cut(message), "", location, is_retryable)


def _part(name: str, read: Callable[[], str]) -> str:
    """Return one part of an exception; reading it runs code of the user's, which may raise anything."""
    try:
        return _cut(read())
    except BaseException as broken:
        return f"<{name} raised {_own_name(type(broken))}>"


def _type_name(kind: type) -> str:
    module, name = kind.__module__, _own_name(kind)
    return name if module == "builtins" else f"{module}.{name}"


def _own_name(kind: type) -> str:
    """Return the name of a type past its metaclass, which may answer for it."""
    name: str = type.__dict__["__qualname__"].__get__(kind)
    return name


def _traceback(error: BaseException, project: str) -> str:
    """Return the traceback of Python's own form, without defer's frames, and the user's before those of libraries."""
    whole = traceback.TracebackException.from_exception(error, limit=_MOST_FRAMES)
    _leave_out_defer(whole, project)
    text = "".join(whole.format())
    frames = [frame for frame in whole.stack if is_user_file(frame.filename, project)]
    if len(frames) in (0, len(whole.stack)):
        return text
    own = "".join(traceback.format_list(frames))
    return f"In your code:\n{own}\nThe whole traceback:\n{text}"


def _leave_out_defer(shown: traceback.TracebackException | None, project: str) -> None:
    """Leave defer's own frames out where there are some of the user's: how it calls and awaits tells him nothing."""
    if shown is None:
        return
    if any(is_user_file(frame.filename, project) for frame in shown.stack):
        frames = [frame for frame in shown.stack if not frame.filename.startswith(_LIBRARY)]
        shown.stack = traceback.StackSummary.from_list(frames)
    for other in (shown.__cause__, shown.__context__, *(shown.exceptions or ())):
        _leave_out_defer(other, project)


def _location(trace: TracebackType | None, project: str) -> str | None:
    found = None
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if is_user_file(name, project):
            with suppress(OSError):  # a relative name has no place once the working directory is gone
                found = f"{os.path.relpath(name, project)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found and _cut(found)


def is_user_file(name: str, project: str) -> bool:
    """Whether a source file belongs to the project's own code rather than to Python, a library or defer."""
    if not name or name.startswith(("<", _LIBRARY)):
        return False
    if name.startswith(os.path.join(project, "")):
        return f"{os.sep}site-packages{os.sep}" not in name
    return not name.startswith(_PLACES)


def _cut(text: str) -> str:
    data = str.encode(text, errors="backslashreplace")  # text may be of a class of the user's
    if len(data) <= LONGEST_TEXT:
        return data.decode()
    return data[:LONGEST_TEXT].decode(errors="ignore") + f"\n… cut: {len(data):,} bytes in all"
