"""The settings of a runner: which source wins, which values are right, which would be unsafe."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from ipaddress import IPv6Address, ip_address
from typing import Any, Literal, TypeAlias, get_args

from defer_cli.domain.duration import parse_duration
from defer_cli.domain.errors import SettingError
from defer_cli.domain.size import parse_memory

LogFormat: TypeAlias = Literal["logfmt", "json"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]

_HIGHEST_PORT = 65_535
_TABLES = ("alerts", "retention")
"""Settings that are tables of their own: alert_settings.py, retention.py."""
_DIGITS = re.compile(r"[0-9]{1,18}")
_REACHED_AS = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9_.-]{1,253})(?::([0-9]{1,5}))?", re.IGNORECASE)


class UnsafeHost(SettingError):
    """The API and the console would be open to the network without a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a runner was asked for, checked."""

    directory: str | None = None
    """Of the functions, as it was written; None: ``src/defer``, else ``defer``."""
    data: str | None = None
    """The data folder, as it was written; None: ``.defer`` in the project's root."""
    workers: int = 1
    slots: int = 100
    host: str = "127.0.0.1"
    port: int | None = 3337
    """0: any free one; None: no API and no console."""
    worker_memory: int | None = None
    """In bytes: a worker that has grown beyond it is replaced, an execution that takes it alone is ended."""
    grace: timedelta = timedelta(seconds=20)
    log_format: LogFormat = "logfmt"
    log_level: LogLevel = "info"
    """The least that is worth a record."""
    log_time: bool | None = None
    """Whether records carry their time; None: JSON does, logfmt does not."""
    mask: tuple[str, ...] = ()
    """More names under which arguments and results are masked, beside ``password``, ``token`` and their like."""
    allowed_hosts: tuple[str, ...] = ()
    """More names under which the API may be reached, each for any port unless it says one: ``runner:3337``."""
    token: str | None = field(default=None, repr=False)
    token_file: str | None = None


def resolve_settings(
    *,
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    dotenv: Mapping[str, str | None],
    pyproject: Mapping[str, object],
    cores: int,
) -> Settings:
    """Return the settings: flag, else ``DEFER_*`` of the environment, else of ``.env``, else ``[tool.defer]``.

    ``flags`` has the names of the fields, None for one not given; ``pyproject`` is the table ``[tool.defer]``;
    ``cores`` is the default of ``workers``. An empty variable counts as not set. The token comes from the real
    environment only. Raises ``SettingError`` that names the source, and ``UnsafeHost``.
    """
    _refuse_unknown(pyproject)
    chosen: dict[str, Any] = {"workers": cores}
    sources: dict[str, str] = {}
    for name, (value, source) in given_settings(
        flags=flags, environ=environ, dotenv=dotenv, pyproject=pyproject
    ).items():
        sources[name] = source
        chosen[name] = _PARSERS[name](value, source)
    settings = Settings(
        **chosen, token=environ.get("DEFER_TOKEN") or None, token_file=environ.get("DEFER_TOKEN_FILE") or None
    )
    _refuse_open_host(settings, sources.get("host"), has_token_in_dotenv=bool(dotenv.get("DEFER_TOKEN")))
    return settings


def given_settings(
    *,
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    dotenv: Mapping[str, str | None],
    pyproject: Mapping[str, object],
) -> dict[str, tuple[object, str]]:
    """Return each setting that is not left to its default, as it was written, and the source that wins."""
    given: dict[str, tuple[object, str]] = {}
    for name in _PARSERS:
        first = _first_given(name, flags, environ, dotenv, pyproject)
        if first is not None:
            given[name] = first
    return given


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches ``host``; a name other than ``localhost`` counts as reachable."""
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


def _first_given(
    name: str,
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    dotenv: Mapping[str, str | None],
    pyproject: Mapping[str, object],
) -> tuple[object, str] | None:
    variable = f"DEFER_{name.upper()}"
    if flags.get(name) is not None:
        return flags[name], f"--{name.replace('_', '-')}"
    if environ.get(variable):
        return environ[variable], f"{variable} in the environment"
    if dotenv.get(variable):
        return dotenv[variable], f"{variable} in .env"
    if name in pyproject:
        return pyproject[name], f"[tool.defer] {name} in pyproject.toml"
    return None


def _refuse_unknown(pyproject: Mapping[str, object]) -> None:
    for name in pyproject:
        if name in _PARSERS or name in _TABLES:
            continue
        if name in {"token", "token_file"}:
            mend = "a token does not belong into a file that is committed: set DEFER_TOKEN in the environment"
        elif near := get_close_matches(name, [*_PARSERS, *_TABLES], n=1):
            mend = f"did you mean {near[0]}?"
        else:
            mend = f"its settings are {', '.join(_PARSERS)}"
        raise SettingError("there is no such setting", where=f"[tool.defer] {name} in pyproject.toml", mend=mend)


def _refuse_open_host(settings: Settings, where: str | None, *, has_token_in_dotenv: bool) -> None:
    if settings.port is None or settings.token or settings.token_file or is_loopback(settings.host):
        return
    mend = "set DEFER_TOKEN, or use 127.0.0.1"
    if has_token_in_dotenv:
        mend = "set DEFER_TOKEN in the real environment (in .env it does not count), or use 127.0.0.1"
    raise UnsafeHost(
        f"{settings.host} can be reached from other machines, and there is no token", where=where, mend=mend
    )


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise SettingError(f"{value!r} is not a path", where=where, mend="write a path, relative to the project")
    return value


def _host(value: object, where: str) -> str:
    if not isinstance(value, str) or not value or any(letter.isspace() or letter in "/\0" for letter in value):
        raise SettingError(f"{value!r} is not a host", where=where, mend="write an address such as 127.0.0.1")
    return value


def _number_in(value: object) -> object:
    """Return the number that a text of digits stands for (variables are always text), else the value itself."""
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        return int(value)
    return value


def _whole_number(*, least: int, most: int, mend: str) -> Callable[[object, str], int]:
    def parse(value: object, where: str) -> int:
        number = _number_in(value)
        if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
            raise SettingError(f"{value!r} is not a number from {least:,} to {most:,}", where=where, mend=mend)
        return number

    return parse


_port_number = _whole_number(
    least=0, most=_HIGHEST_PORT, mend="use a port, 0 for any free one, or off for no API and no console"
)


def _port(value: object, where: str) -> int | None:
    if isinstance(value, str) and value.strip().lower() == "off":
        return None
    return _port_number(value, where)


def _grace(value: object, where: str) -> timedelta:
    return parse_duration(_number_in(value), where=where)


def _one_of(words: tuple[str, ...], *, what: str) -> Callable[[object, str], str]:
    def parse(value: object, where: str) -> str:
        if value not in words:
            mend = f"use {', '.join(words[:-1])} or {words[-1]}"
            raise SettingError(f"{value!r} is not a {what}", where=where, mend=mend)
        return str(value)

    return parse


def _switch(value: object, where: str) -> bool:
    if isinstance(value, bool):
        return value
    if value not in ("on", "off"):
        raise SettingError(f"{value!r} is neither on nor off", where=where, mend="use on or off")
    return value == "on"


def masked_names(value: object, where: str) -> tuple[str, ...]:
    """Return the names that a setting adds to those that look secret; raise ``SettingError`` naming ``where``."""
    if not isinstance(value, str):
        raise SettingError(f"{value!r} is not a text", where=where, mend='write names with commas: "iban, tax_id"')
    return tuple(name.strip() for name in value.split(",") if name.strip())


def host_and_port(authority: str) -> tuple[str, int | None] | None:
    """Return what a ``Host`` header names, in lower case; None when it is no host."""
    match = _REACHED_AS.fullmatch(authority)
    if match is None or int(match[2] or 0) > _HIGHEST_PORT:
        return None
    return match[1].lower(), int(match[2]) if match[2] else None


def _allowed_hosts(value: object, where: str) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SettingError(f"{value!r} is no list of hosts", where=where, mend='write ["runner", "defer.example.org"]')
    hosts = tuple(name.strip().lower() for name in names if name.strip())
    for host in hosts:
        if host_and_port(host) is None:
            raise SettingError(
                f"{host!r} is not a host", where=where, mend="write a name such as defer.example.org, without https://"
            )
    return hosts


_PARSERS: dict[str, Callable[[object, str], object]] = {
    "directory": _text,
    "data": _text,
    "workers": _whole_number(least=1, most=1_000, mend="use the number of processes; the default is one a core"),
    "slots": _whole_number(least=1, most=100_000, mend="use how many executions one worker runs at once"),
    "host": _host,
    "port": _port,
    "worker_memory": lambda value, where: parse_memory(_number_in(value), where=where),
    "grace": _grace,
    "log_format": _one_of(get_args(LogFormat), what="log format"),
    "log_level": _one_of(get_args(LogLevel), what="log level"),
    "log_time": _switch,
    "mask": masked_names,
    "allowed_hosts": _allowed_hosts,
}

MEANINGS = {
    "directory": "the folder of functions, from the project; unset: `src/defer`, else `defer`",
    "data": "the folder of the database, the socket and the inbox, from the project; unset: `.defer`",
    "workers": "processes that run functions",
    "slots": "executions that one worker runs at once",
    "host": "where the console and the API listen; beyond this machine they need a token",
    "port": "the port of both; 0: any free one; `off`: neither",
    "worker_memory": "a worker that has grown beyond it is replaced, an execution that takes it alone fails (`ER0002`)",
    "grace": "how long a stop waits for what runs",
    "log_format": "the form of the records of `defer run`",
    "log_level": "the least that is worth a record",
    "log_time": "whether records carry their time; unset: JSON does, logfmt does not",
    "mask": "more names whose values are shown as `•••`, beside `password`, `token` and their like",
    "allowed_hosts": "more names the API and the console are reached under, such as `runner:3337`",
}
"""What each setting is for, as docs/options.md tells it; beside the parsers, so that neither lacks one."""
VARIABLE_MEANINGS = {
    "DEFER_TOKEN": "the runner: what the API and the console ask for; a program that calls: that calls go over HTTP",
    "DEFER_TOKEN_FILE": "the runner: a file that holds the token",
}
