"""Reads every option out of the code that takes it; docs/draw_options.py makes a page of them."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_overloads, get_type_hints, is_typeddict

import typer

from defer_cli.background import assign_options
from defer_cli.cli import commands as command_line
from defer_cli.client import http_endpoint
from defer_cli.decorator import defer
from defer_cli.definitions import CRON_OPTION_NAMES
from defer_cli.domain import alert_settings, function, retention
from defer_cli.domain import settings as runner
from defer_cli.domain.duration import in_words
from defer_cli.domain.errors import SettingError
from defer_cli.domain.retry import RetryPolicy

_NONE = "–"
_MANY_CORES = 999
"""What a default that follows from the number of cores is known by: no setting has it by itself."""
_DEFAULT = re.compile(r"(?:;|(?<=\?)) default: (.+)\.$", re.IGNORECASE)
_MEANING = re.compile(r"``(\w+)``(?: \(crons\))?: (.*?)[.]?\s*(?=``\w+``(?: \(crons\))?: |Raises |$)", re.DOTALL)
_TYPES: dict[frozenset[Any], str] = {
    frozenset((str, int, float, timedelta, datetime)): "span or aware `datetime`",
    frozenset((str, int, float, timedelta)): "span",
    frozenset((str, int)): "size",
}
"""What people call the types that stand for one thing."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option as the page shows it; ``place`` are the commands that have it, or the ways to give it."""

    name: str
    takes: str
    default: str
    meaning: str
    place: str = ""


def commands() -> Iterator[tuple[str, str]]:
    """Give each command with its arguments, and what it does."""
    for name, command in _commands():
        words = [f"{command_line.PROGRAM} {name}", *(_metavar(one) for one in command.params if _is_argument(one))]
        told, _, example = " ".join((command.help or "").split()).partition("For example: ")
        yield " ".join(words), _in_code(told) + (f"For example: `{example}`" if example else "")


def command_options() -> list[Option]:
    """Return the options of all commands, those that several share once."""
    places: dict[Option, list[str]] = {
        _command_option(parameter): [command_line.PROGRAM] for parameter in _group([]).params
    }
    names = []
    for name, command in _commands():
        names.append(name)
        for parameter in command.params:
            if not _is_argument(parameter):
                places.setdefault(_command_option(parameter), []).append(name)
    return [
        replace(option, place="every command" if had == names else ", ".join(f"`{name}`" for name in had))
        for option, had in places.items()
    ]


def arguments() -> Iterator[tuple[str, str, str]]:
    """Give each argument of each command, and what it means."""
    for name, command in _commands():
        for parameter in command.params:
            if _is_argument(parameter):
                yield f"`{name}`", f"`{_metavar(parameter)}`", _in_code(parameter.help)


def settings() -> Iterator[Option]:
    """Give each setting of ``[tool.defer]`` and of the tables below it."""
    chosen = runner.resolve_settings(flags={}, environ={}, dotenv={}, pyproject={}, cores=_MANY_CORES)
    flags = {one.opts[0] for _, command in _commands() for one in command.params}
    yield from _settings("", runner._PARSERS, runner.MEANINGS, chosen, flags)  # noqa: SLF001
    tables: tuple[tuple[str, Any, object], ...] = (
        ("alerts", alert_settings, alert_settings.AlertSettings()),
        ("retention", retention, retention.RetentionSettings()),
    )
    if tuple(name for name, _, _ in tables) != runner._TABLES:  # noqa: SLF001
        raise LookupError(f"the tables are {runner._TABLES}")  # noqa: SLF001
    for name, module, defaults in tables:
        yield from _settings(f"{name}.", module._PARSERS, module.MEANINGS, defaults, set())  # noqa: SLF001


def variables() -> Iterator[tuple[str, str]]:
    """Give each variable that no table has a setting for."""
    for module in (runner, http_endpoint, alert_settings):
        yield from module.VARIABLE_MEANINGS.items()


def function_options() -> Iterator[Option]:
    """Give each option of ``defer`` and ``defer.cron``."""
    takes = get_type_hints(get_overloads(type(defer).cron)[0])
    meanings = _meanings(type(defer).__doc__)
    given = inspect.signature(function.function_options).parameters
    checked = function.FunctionOptions()
    for name in CRON_OPTION_NAMES:
        default = given[name].default
        yield Option(
            name=name,
            takes=_type(takes[name]),
            default=_value(getattr(checked, name) if default is None else default, quote=True),
            meaning=meanings[name],
        )


def retry_fields() -> Iterator[Option]:
    """Give each field of a retry policy."""
    takes = get_type_hints(RetryPolicy)
    meanings = dict(_words_below_fields(RetryPolicy))
    for one in fields(RetryPolicy):
        yield Option(
            name=one.name, takes=_type(takes[one.name]), default=_value(one.default), meaning=meanings[one.name]
        )


def call_options() -> Iterator[Option]:
    """Give each option of ``assign_options``."""
    takes = get_type_hints(assign_options)
    meanings = _meanings(assign_options.__doc__)
    for name, parameter in inspect.signature(assign_options).parameters.items():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            default = _value(parameter.default)
            yield Option(name=name, takes=_type(takes[name]), default=default, meaning=meanings[name])


def _commands() -> Iterator[tuple[str, Any]]:
    for name in command_line._COMMANDS:  # noqa: SLF001
        yield name, _group([name]).commands[name]


def _group(words: list[str]) -> Any:
    return typer.main.get_command(command_line.application(words))


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _command_option(parameter: Any) -> Option:
    default = _DEFAULT.search(parameter.help)
    meaning = parameter.help
    if default is not None:
        before = parameter.help[: default.start()]
        meaning = before if before.endswith("?") else f"{before}."
        shown = default[1]
    elif parameter.is_flag or parameter.default is None:
        is_setting = parameter.name in runner._PARSERS  # noqa: SLF001
        shown = "required" if parameter.required else "the setting" if is_setting else _NONE
    else:
        shown = _value(parameter.default)
    takes = _NONE if parameter.is_flag else f"`{_metavar(parameter)}`" + (", several" if parameter.multiple else "")
    return Option(name="`, `".join(parameter.opts), takes=takes, default=shown, meaning=_in_code(meaning))


def _settings(
    table: str,
    parsers: Mapping[str, Callable[[object, str], object]],
    meanings: Mapping[str, str],
    chosen: object,
    flags: set[str],
) -> Iterator[Option]:
    for name, parse in parsers.items():
        flag = f"--{name.replace('_', '-')}"
        ways = [*([flag] if flag in flags else []), f"DEFER_{table.replace('.', '_').upper()}{name.upper()}"]
        default = getattr(chosen, name)
        yield Option(
            name=table + name,
            takes=_form(parse, default),
            default="one a core" if default == _MANY_CORES else _value(default),
            meaning=meanings[name],
            place=", ".join(f"`{way}`" for way in ways),
        )


def _form(parse: Callable[[object, str], object], default: object) -> str:
    """Return what a setting takes: what its parser makes of words tells it, and nobody else knows."""
    off = next((f" or `{word}`" for word in ("off", "false") if _takes(parse, word, (NoneType,))), "")
    if _takes(parse, "1h", (timedelta,)):
        return f"span{off}"
    if _takes(parse, "1 GB", (int,)):
        return f"size{off}"
    if _takes(parse, 42, (int,)):
        return f"whole number{off}"
    if _takes(parse, "on", (bool,)):
        return "true or false" if _takes(parse, "true", (bool,)) else "true or false, `on` or `off`"
    if isinstance(default, tuple):
        return "list of texts" if _takes(parse, ["failure"], (tuple,)) else "text with commas"
    return _choices(parse) or "text"


def _takes(parse: Callable[[object, str], object], value: object, kinds: tuple[type, ...]) -> bool:
    try:
        return type(parse(value, "")) in kinds
    except SettingError:
        return False


def _choices(parse: Callable[[object, str], object]) -> str | None:
    """Return the words of a setting that takes no others; its parser's advice is to use one of them."""
    try:
        parse("\t", "")
    except SettingError as error:
        advice = error.mend or ""
        if advice.startswith("use "):
            words = re.split(r", | or ", advice.removeprefix("use "))
            return ", ".join(f"`{word}`" for word in words)
    return None


def _type(hint: Any) -> str:
    parts = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    members = set(parts)
    shown = []
    for types, words in _TYPES.items():
        if types <= members:
            members -= types
            shown.append(words)
            break
    shown += [_type_name(one) for one in parts if one in members]
    return " or ".join(shown)


def _type_name(one: Any) -> str:
    if get_origin(one) is Literal:
        return " or ".join(f'`"{choice}"`' for choice in get_args(one))
    if get_origin(one) is not None or is_typeddict(one):
        return "dict"
    return "`None`" if one is NoneType else f"`{one.__name__}`"


def _value(value: object, *, quote: bool = False) -> str:
    if value is None or value == ():
        return _NONE
    if isinstance(value, timedelta):
        return in_words(value)
    if isinstance(value, tuple):
        return f"`{list(map(str, value))}`".replace("'", '"')
    if isinstance(value, bool):
        return f"`{value}`" if quote else f"`{str(value).lower()}`"
    return f'`"{value}"`' if quote and isinstance(value, str) else f"`{value}`"


def _meanings(doc: str | None) -> dict[str, str]:
    text = " ".join((doc or "").split())
    return {name: words.replace("``", "`") for name, words in _MEANING.findall(text)}


def _words_below_fields(kind: type) -> Iterator[tuple[str, str]]:
    """Give each field of a class and the text below it."""
    (body,) = ast.parse(inspect.getsource(kind)).body
    lines: Iterable[ast.stmt] = getattr(body, "body", [])
    name = None
    for line in lines:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            name = line.target.id
        elif name and isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant):
            words = str(line.value.value).removesuffix(".")
            yield name, words[:1].lower() + words[1:]


def _in_code(text: str) -> str:
    """Return a help text for the page: what it names as an option is code."""
    return re.sub(r"(?<![\w`-])(--?[a-z][a-z-]*)", r"`\1`", text)
