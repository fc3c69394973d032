"""The settings of alerts: which there are, where they go, what they tell."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from defer_cli.domain.alert import AlertKind, Grouping
from defer_cli.domain.duration import parse_duration
from defer_cli.domain.errors import SettingError
from defer_cli.domain.setting_tables import checked_table, given_in_table, table_name
from defer_cli.domain.settings import is_loopback

SLACK_VARIABLE = "DEFER_SLACK_WEBHOOK_URL"
WEBHOOK_VARIABLE = "DEFER_ALERT_WEBHOOK_URL"
SECRET_VARIABLE = "DEFER_ALERT_WEBHOOK_SECRET"  # noqa: S105  # its name
_SECRETS = (SLACK_VARIABLE, WEBHOOK_VARIABLE, SECRET_VARIABLE)
_MENDS = dict.fromkeys(
    ("slack", "webhook", "secret"),
    f"who has it can write into your channel: set {SLACK_VARIABLE} or {WEBHOOK_VARIABLE} in the environment",
)
"""For what does not belong into a file, by a word of its name."""
_KINDS = tuple(str(kind) for kind in AlertKind if kind is not AlertKind.RECOVERY)
_LONGEST_GROUP = timedelta(days=1)
_MOST_KEY_BYTES, _LEAST_KEY_BYTES = 64, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """What was asked for, checked."""

    slack_url: str | None = field(default=None, repr=False)
    webhook_url: str | None = field(default=None, repr=False)
    webhook_key: bytes | None = field(default=None, repr=False)
    """What messages to the webhook are signed with."""
    on: tuple[AlertKind, ...] = (AlertKind.FAILURE,)
    arguments: bool = False
    """Whether the arguments of a failed execution are in its message."""
    url: str | None = None
    """Where people reach the console; None: the runner's own address."""
    group: timedelta = timedelta(minutes=1)
    not_counted: tuple[str, ...] = ()
    """Variables that are set where they do not count: in ``.env``."""

    @property
    def has_channel(self) -> bool:
        """Whether there is somewhere to send alerts to."""
        return self.slack_url is not None or self.webhook_url is not None

    @property
    def grouping(self) -> Grouping:
        """How much of the same makes one message."""
        return Grouping(window=self.group)


def resolve_alert_settings(
    *, environ: Mapping[str, str], dotenv: Mapping[str, str | None], pyproject: Mapping[str, object]
) -> AlertSettings:
    """Return the settings: ``DEFER_ALERTS_*`` of the environment, else of ``.env``, else ``[tool.defer.alerts]``.

    ``pyproject`` is the table ``[tool.defer]``. Addresses and the secret come from the real environment only, like the
    token: who has one of them can write into the channel. Raises ``SettingError``, which never shows them.
    """
    checked_table("alerts", _PARSERS, pyproject, mend=f"write {table_name('alerts')}", mends=_MENDS)
    chosen: dict[str, Any] = {}
    for name, (value, source) in given_alert_settings(environ=environ, dotenv=dotenv, pyproject=pyproject).items():
        chosen[name] = _PARSERS[name](value, source)
    webhook_url = _address(environ, WEBHOOK_VARIABLE)
    return AlertSettings(
        slack_url=_address(environ, SLACK_VARIABLE),
        webhook_url=webhook_url,
        webhook_key=None if webhook_url is None else _key(environ),
        not_counted=tuple(name for name in _SECRETS if dotenv.get(name) and not environ.get(name)),
        **chosen,
    )


def given_alert_settings(
    *, environ: Mapping[str, str], dotenv: Mapping[str, str | None], pyproject: Mapping[str, object]
) -> dict[str, tuple[object, str]]:
    """Return each setting that is not left to its default, as it was written, and the source that wins; no secret."""
    return given_in_table("alerts", _PARSERS, environ=environ, dotenv=dotenv, pyproject=pyproject)


def _address(environ: Mapping[str, str], variable: str) -> str | None:
    """Return the address that a variable holds, None for none; what is wrong with it is told without it."""
    value = environ.get(variable, "").strip()
    if not value:
        return None
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    is_plain = value.isascii() and value.isprintable() and " " not in value and "@" not in value.partition("?")[0]
    if not host or not is_plain or parts.scheme not in ("https", "http"):
        raise SettingError("it holds no address", where=variable, mend="write one that begins with https://")
    if parts.scheme == "http" and not is_loopback(host):
        raise SettingError(
            "its address is not safe: who listens on the way can read it, and write into your channel",
            where=variable,
            mend="use https://; http:// is for this very machine",
        )
    return value


def _key(environ: Mapping[str, str]) -> bytes:
    mend = (
        "make one: python3 -c \"import base64, os; print('whsec_' + base64.b64encode(os.urandom(32)).decode())\", "
        f"set it as {SECRET_VARIABLE}, and give it to who receives the messages"
    )
    secret = environ.get(SECRET_VARIABLE, "").strip()
    if not secret:
        raise SettingError(
            "messages to the webhook are signed, and there is no secret", where=WEBHOOK_VARIABLE, mend=mend
        )
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        raise SettingError("it is no base64", where=SECRET_VARIABLE, mend=mend) from None
    if not _LEAST_KEY_BYTES <= len(key) <= _MOST_KEY_BYTES:
        words = f"it stands for {len(key)} bytes, expected {_LEAST_KEY_BYTES} to {_MOST_KEY_BYTES}"
        raise SettingError(words, where=SECRET_VARIABLE, mend=mend)
    return key


def _on(value: object, where: str) -> tuple[AlertKind, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SettingError(f"{value!r} is no list", where=where, mend='write on = ["failure", "missed_tick"]')
    kinds: list[AlertKind] = []
    for name in (one.strip() for one in names):
        if name in _KINDS:
            kinds.append(AlertKind(name))
        elif name:
            near = get_close_matches(name, _KINDS, n=1)
            mend = f"did you mean {near[0]}?" if near else f"use some of {', '.join(_KINDS)}"
            raise SettingError(f"{name!r} is nothing there are alerts on", where=where, mend=mend)
    return tuple(dict.fromkeys(kinds))


def _switch(value: object, where: str) -> bool:
    words = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    if not isinstance(value, bool):
        raise SettingError(f"{value!r} is neither true nor false", where=where, mend="use true or false")
    return value


def _url(value: object, where: str) -> str:
    mend = "write where people reach the console: https://defer.example.org"
    text = value.strip().rstrip("/") if isinstance(value, str) else ""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("https", "http") or not text.isprintable() or set(text) & set(" <>|@?#"):
        raise SettingError(f"{value!r} is no address of a console", where=where, mend=mend)
    return text


def _group(value: object, where: str) -> timedelta:
    span = parse_duration(value, where=where)
    if not timedelta(0) < span <= _LONGEST_GROUP:
        raise SettingError(f"{value!r} is no time to wait", where=where, mend='use up to a day, such as "1 min"')
    return span


_PARSERS: dict[str, Callable[[object, str], object]] = {
    "on": _on,
    "arguments": _switch,
    "url": _url,
    "group": _group,
}

MEANINGS = {
    "on": f"what is told, some of {', '.join(f'`{kind}`' for kind in _KINDS)}",
    "arguments": "whether a failure is told with the arguments of its execution; secrets are masked",
    "url": "where people reach the console; unset: the runner's own address",
    "group": "the time in which the same is one message",
}
"""What each setting is for, as docs/options.md tells it."""
VARIABLE_MEANINGS = {
    SLACK_VARIABLE: "the runner: an incoming webhook of Slack, or of what takes its messages",
    WEBHOOK_VARIABLE: "the runner: an address of your own that gets JSON",
    SECRET_VARIABLE: "the runner: what that JSON is signed with",
}
