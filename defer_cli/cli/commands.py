"""The commands by name; only the one that is run is imported, so each starts as if it were alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Annotated

import typer

from defer_cli import __version__
from defer_cli.cli.failures import USAGE
from defer_cli.cli.output import say

PROGRAM = "defer"
COMPLETING = "_DEFER_COMPLETE"
_COMMANDS = {
    "init": "Write a project's first files.",
    "check": "Apply the folder's rule to every file.",
    "list": "Show every function and when it runs.",
    "dev": "Run, reload, show what happens.",
    "run": "Run in production.",
    "trigger": "Enqueue one execution by hand.",
    "pause": "Skip the ticks of crons from now on.",
    "resume": "Run the ticks of crons again.",
    "executions": "Show what was called, newest first.",
    "show": "Show one execution with its attempts.",
    "logs": "Show what an execution printed.",
    "cancel": "Take executions out of the queue; --force: abort.",
    "reschedule": "Give executions that wait another time.",
    "rerun": "Run executions once more.",
    "prune": "Delete what finished long ago.",
    "backup": "Copy everything that is stored, while it runs.",
    "restore": "Put a backup in the place of what is stored.",
    "export": "Write the files that deploy a project.",
    "doctor": "Look at everything defer stands on.",
}
_FUNCTIONS = {"list": "list_functions"}


def application(words: Iterable[str]) -> typer.Typer:
    """Return the command line as ``words`` need it: all commands are known, the first that they name can be run."""
    chosen = next((word for word in words if word in _COMMANDS), None)
    whole = typer.Typer(
        name=PROGRAM,
        callback=_root,
        invoke_without_command=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    for name, short_help in _COMMANDS.items():
        whole.command(name, short_help=short_help)(_function_of(name) if name == chosen else _elsewhere)
    return whole


def words_to_complete() -> list[str] | None:
    """Return the words of a line that a shell wants completed, None when it wants nothing."""
    if not os.environ.get(COMPLETING, "").startswith("complete_"):
        return None
    return (os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")).split()


def _function_of(name: str) -> Callable[..., int]:
    function: Callable[..., int] = getattr(import_module(f"defer_cli.cli.{name}"), _FUNCTIONS.get(name, name))
    return function


def _elsewhere() -> None:
    """Stand for a command that is not run now."""


def _root(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Background functions and crons: one folder, one command, one SQLite file."""
    if version:
        print(f"{PROGRAM} {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        say(context.get_help())
        raise typer.Exit(USAGE)
