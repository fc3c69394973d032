"""Draws docs/options.md from the code that takes each option: ``make docs``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from docs.options_of_code import (
    Option,
    arguments,
    call_options,
    command_options,
    commands,
    function_options,
    retry_fields,
    settings,
    variables,
)

_HEAD = """\
# Options

Every option of every command, every setting, every variable and every option of a function: one table each, drawn from
the code by `make docs`; a test holds the two equal. `–` is a default that is none; the meaning says what then holds.
"""
_COMMANDS = """\
## Commands

`defer COMMAND --help` says the same. Data goes to stdout, talk to stderr.
"""
_OPTIONS = """\
## Options of commands

An option that is not there is the setting of the same name, where there is one.
"""
_SETTINGS = """\
## Settings

Each is taken from its option, else from its variable in the environment, else from `.env`, else from its table in
`pyproject.toml`, else it is the default. An empty variable counts as not set. A span is `"1h30m"`, `"5 min"` or a
number of seconds (in `retention` it needs its unit); a size is `"512 MB"`, `"2 GiB"` or a number of bytes.
"""
_VARIABLES = """\
## Variables of the environment alone

They are secrets, or lead to where secrets are sent: they count neither in `.env` nor in `pyproject.toml`.
"""
_FUNCTIONS = """\
## Options of a function

Of `@defer(…)` and `@defer.cron("0 8 * * MON", …)`; a wrong one is the problem [DEF010](rule.md).
"""
_RETRY = """\
## Fields of a retry policy

Of `RetryPolicy(…)`, or of a dict given as `retry`; one that is left out takes its default. [Retries](retries.md) tells
what comes of them.
"""
_CALLS = """\
## Options of a call

Of `assign_options(function, …)`, which gives a copy of the function whose calls carry them; see [calls](calls.md).
"""


def draw() -> str:
    """Return the page."""
    parts = [
        _HEAD,
        _COMMANDS,
        _table("command|does", ([f"`{words}`", does] for words, does in commands())),
        _OPTIONS,
        _options(command_options(), of="of"),
        "## Arguments of commands\n",
        _table("command|argument|meaning", arguments()),
        _SETTINGS,
        _options(settings(), name="setting", of="given as"),
        _VARIABLES,
        _table("variable|meaning", ([f"`{name}`", meaning] for name, meaning in variables())),
        _FUNCTIONS,
        _options(function_options()),
        _RETRY,
        _options(retry_fields(), name="field"),
        _CALLS,
        _options(call_options()),
    ]
    return "\n".join(parts)


def _options(options: Iterable[Option], *, name: str = "option", of: str | None = None) -> str:
    head = [name, "meaning", "takes", "default", *([of] if of else [])]
    table = _table("|".join(head), (_cells(option, has_place=of is not None) for option in options))
    return f'<div class="options" markdown="1">\n\n{table}\n</div>\n'


def _cells(option: Option, *, has_place: bool) -> Iterator[str]:
    yield f"`{option.name}`"
    yield option.meaning
    yield option.takes
    yield option.default
    if has_place:
        yield option.place


def _table(head: str, rows: Iterable[Iterable[str]]) -> str:
    columns = head.split("|")
    return "\n".join([_row(columns), _row(["---"] * len(columns)), *map(_row, rows), ""])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    sys.stdout.write(draw())
