"""The entry point: reads the command line, runs one command, turns every error into words and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from io import TextIOWrapper
from typing import NoReturn

import typer

from defer_cli.cli.commands import PROGRAM, application, words_to_complete
from defer_cli.cli.failures import FAILED, INTERRUPTED, OK, UsageError, exit_code_of, show_error
from defer_cli.domain.errors import DeferError


def execute(arguments: Sequence[str]) -> int:
    """Run the command that ``arguments`` name and return its exit code."""
    try:
        command = typer.main.get_command(application(arguments))
        code = command.main(list(arguments), prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
        return code or OK
    except DeferError as error:
        show_error(error)
        return exit_code_of(error)
    except typer.TyperException as error:
        return _refuse(error)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        show_error(_unforeseen(error))
        return FAILED


def _refuse(error: typer.TyperException) -> int:
    problem, mend = _split(error.format_message())
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else PROGRAM
    advice = f"did you mean {mend}" if mend else f"`{path} --help` says what it takes"
    if problem.startswith("No such option: -") and problem[17:18].isdigit():
        advice = "write -- before a negative number"
    show_error(UsageError(problem[:1].lower() + problem[1:], mend=advice))
    return error.exit_code


def _split(message: str) -> tuple[str, str]:
    """Return the problem and what may have been meant; typer writes both as one sentence, in two ways."""
    problem, _, meant = message.partition(" Did you mean ")
    if not meant:
        problem, _, several = message.partition(" (Possible options: ")
        near = get_close_matches(problem.rpartition(" ")[2], several.rstrip(")").split(", "), n=1, cutoff=0)
        meant = f"{near[0]}?" if several else ""
    return problem.rstrip("."), meant


def _unforeseen(error: Exception) -> DeferError:
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    where = f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}" if last is not None else None
    mend = None if isinstance(error, OSError) else "this is a fault in defer: please report it with these lines"
    return DeferError(f"{type(error).__name__}: {error}", where=where, mend=mend)


def _complete(words: Sequence[str]) -> NoReturn:
    """Answer a shell that asks how a line may go on; an error is no answer, and nothing is said of it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    try:
        typer.main.get_command(application(words)).main([], prog_name=PROGRAM)
    except Exception:
        pass
    sys.exit(FAILED)


def main() -> None:
    """Run the command line of this process."""
    if os.getpid() == 1:
        from defer_cli.cli.first_process import leave_first_process

        leave_first_process()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # an ASCII terminal shows what it can
    words = words_to_complete()
    if words is not None:
        _complete(words)
    sys.exit(execute(sys.argv[1:]))


if __name__ == "__main__":
    main()
