"""The entry point: reads the command line, runs one command, turns every error into words and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated

import typer

from defer_cli.cli.check import check
from defer_cli.cli.dev import dev
from defer_cli.cli.failures import FAILED, INTERRUPTED, OK, UsageError, exit_code_of, show_error
from defer_cli.cli.init import init
from defer_cli.cli.list import list_functions
from defer_cli.cli.run import run
from defer_cli.cli.trigger import trigger
from defer_cli.domain.errors import DeferError

_HELP = {"help_option_names": ["--help", "-h"]}


def _show_version(is_asked: bool) -> None:
    if is_asked:
        from defer_cli import __version__

        print(f"defer {__version__}")
        raise typer.Exit


def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Background functions and crons: one folder, one command, one SQLite file."""


def _application() -> typer.Typer:
    application = typer.Typer(
        name="defer",
        callback=_root,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=_HELP,
    )
    for name, command in (
        ("init", init),
        ("check", check),
        ("list", list_functions),
        ("dev", dev),
        ("run", run),
        ("trigger", trigger),
    ):
        application.command(name)(command)
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
    message = error.format_message().strip()
    if not message:  # the help was asked for by giving nothing, and has been printed
        return error.exit_code
    problem, _, mend = message.partition(" Did you mean ")
    problem = problem.rstrip(".")
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "defer"
    show_error(
        UsageError(
            problem[:1].lower() + problem[1:], mend=f"did you mean {mend}" if mend else f"`{path} --help` says what it takes"
        )
    )
    return error.exit_code


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
