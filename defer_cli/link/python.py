"""How a process is started that runs user code: with the user's own Python, also where defer is a single file."""

from __future__ import annotations

import os
import sys

_HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_USERS = os.environ.pop("_DEFER_PYTHON", None)
"""Who ran the single file, which then went on in an environment of its own; its first lines tell."""
SINGLE_FILE = os.environ.pop("PEX", None) if _USERS else None
"""The file that this command is, None where defer is installed."""

_LOAD = "import gc; gc.disable(); from {module} import main; gc.enable()"
"""What is loaded stays: the garbage collector, which would look through it again and again, rests meanwhile. It was a
tenth of the time."""
_RUN = f"{_LOAD}; main()"
_RUN_FROM_FILE = (
    f"import sys; own = sys.path[:]; sys.path.insert(0, {{home!r}}); {_LOAD}; sys.path[:] = [*own, {{home!r}}]; main()"
)


def python_running(module: str) -> list[str]:
    """Return the command that runs ``main()`` of a module of defer.

    Out of a single file the process is the user's Python with all that is installed there. What defer itself needs to
    start comes out of the file, whatever versions of it the user has; what functions import is theirs first.
    """
    if _USERS is None:
        return [sys.executable, "-P", "-c", _RUN.format(module=module)]
    return [_USERS, "-P", "-c", _RUN_FROM_FILE.format(module=module, home=_HOME)]


def this_command() -> list[str]:
    """Return the words that start this command again."""
    if _USERS is not None and SINGLE_FILE is not None:
        return [_USERS, SINGLE_FILE]
    script = os.path.join(os.path.dirname(sys.executable), "defer")
    return [script] if os.access(script, os.X_OK) else [sys.executable, "-m", "defer_cli"]
