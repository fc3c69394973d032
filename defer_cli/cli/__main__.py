"""The entry point: reads the command line, runs one command, turns every error into words and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from io import TextIOWrapper
from typing import Annotated

import typer

from defer_cli import __version__
from defer_cli.cli.cancel import cancel
from defer_cli.cli.check import check
from defer_cli.cli.dev import dev
from defer_cli.cli.doctor import doctor
from defer_cli.cli.executions import executions
from defer_cli.cli.failures import FAILED, INTERRUPTED, OK, USAGE, UsageError, exit_code_of, show_error
from defer_cli.cli.init import init
from defer_cli.cli.list import list_functions
from defer_cli.cli.logs import logs
from defer_cli.cli.output import say
from defer_cli.cli.prune import prune
from defer_cli.cli.rerun import rerun
from defer_cli.cli.reschedule import reschedule
from defer_cli.cli.run import run
from defer_cli.cli.show import show
from defer_cli.cli.trigger import trigger
from defer_cli.domain.errors import DeferError

_HELP = {"help_option_names": ["--help", "-h"]}


def _root(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Background functions and crons: one folder, one command, one SQLite file."""
    if version:
        print(f"defer {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        say(context.get_help())
        raise typer.Exit(USAGE)


def _application() -> typer.Typer:
    application = typer.Typer(
        name="defer",
        callback=_root,
        invoke_without_command=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=_HELP,
    )
    application.command("init", short_help="Write a project's first files.")(init)
    application.command("check", short_help="Apply the folder's rule to every file.")(check)
    application.command("list", short_help="Show every function and when it runs.")(list_functions)
    application.command("dev", short_help="Run, reload, show what happens.")(dev)
    application.command("run", short_help="Run in production.")(run)
    application.command("trigger", short_help="Enqueue one execution by hand.")(trigger)
    application.command("executions", short_help="Show what was called, newest first.")(executions)
    application.command("show", short_help="Show one execution with its attempts.")(show)
    application.command("logs", short_help="Show what an execution printed.")(logs)
    application.command("cancel", short_help="Take executions out of the queue; --force: abort.")(cancel)
    application.command("reschedule", short_help="Give executions that wait another time.")(reschedule)
    application.command("rerun", short_help="Run executions once more.")(rerun)
    application.command("prune", short_help="Delete what finished long ago.")(prune)
    application.command("doctor", short_help="Look at everything defer stands on.")(doctor)
    return application


def execute(arguments: Sequence[str]) -> int:
    """Run the command that ``arguments`` name and return its exit code."""
    try:
        code = typer.main.get_command(_application()).main(list(arguments), prog_name="defer", standalone_mode=False)
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
    path = context.command_path if context is not None else "defer"
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


def main() -> None:
    """Run the command line of this process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # an ASCII terminal shows what it can
    sys.exit(execute(sys.argv[1:]))


if __name__ == "__main__":
    main()
