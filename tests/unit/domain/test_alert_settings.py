"""Which settings of alerts are taken, which are refused, and that no secret is ever shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from defer_cli.domain.alert import AlertKind
from defer_cli.domain.alert_settings import AlertSettings, given_alert_settings, resolve_alert_settings
from defer_cli.domain.errors import SettingError
from defer_cli.domain.settings import resolve_settings

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOOK = "https://hooks.slack.com/services/T0/B0/very-secret"


def resolved(
    table: Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    dotenv: Mapping[str, str | None] | None = None,
) -> AlertSettings:
    pyproject = {} if table is None else {"alerts": table}
    return resolve_alert_settings(environ=environ or {}, dotenv=dotenv or {}, pyproject=pyproject)


def test_nothing_set_means_no_channel_and_failures() -> None:
    settings = resolved()

    assert settings == AlertSettings()
    assert not settings.has_channel
    assert (settings.on, settings.arguments, settings.group) == ((AlertKind.FAILURE,), False, timedelta(minutes=1))


def test_the_table_says_what_is_told() -> None:
    table = {
        "on": ["failure", "missed_tick", "failure"],
        "arguments": True,
        "url": "https://d.example/",
        "group": "5 min",
    }
    settings = resolved(table, environ={"DEFER_SLACK_WEBHOOK_URL": HOOK})

    assert settings.on == (AlertKind.FAILURE, AlertKind.MISSED_TICK)
    assert (settings.arguments, settings.url) == (True, "https://d.example")
    assert settings.grouping.window == timedelta(minutes=5)
    assert settings.slack_url == HOOK


def test_the_table_is_no_unknown_setting_of_the_runner() -> None:
    resolve_settings(flags={}, environ={}, dotenv={}, pyproject={"alerts": {"on": []}}, cores=1)


def test_each_source_gives_way_to_the_one_before_it() -> None:
    environ, dotenv = (
        {"DEFER_ALERTS_ON": "success, reload"},
        {"DEFER_ALERTS_ON": "reload", "DEFER_ALERTS_ARGUMENTS": "true"},
    )
    settings = resolved({"on": ["failure"], "arguments": False, "group": "2s"}, environ=environ, dotenv=dotenv)
    given = given_alert_settings(environ=environ, dotenv=dotenv, pyproject={"alerts": {"group": "2s"}})

    assert settings.on == (AlertKind.SUCCESS, AlertKind.RELOAD)
    assert settings.arguments
    assert given == {
        "on": ("success, reload", "DEFER_ALERTS_ON in the environment"),
        "arguments": ("true", "DEFER_ALERTS_ARGUMENTS in .env"),
        "group": ("2s", "[tool.defer.alerts] group in pyproject.toml"),
    }


def test_what_opens_a_channel_counts_in_the_real_environment_only() -> None:
    settings = resolved(dotenv={"DEFER_SLACK_WEBHOOK_URL": HOOK, "DEFER_ALERT_WEBHOOK_URL": None})

    assert not settings.has_channel
    assert settings.not_counted == ("DEFER_SLACK_WEBHOOK_URL",)


def test_the_webhook_has_its_key() -> None:
    settings = resolved(environ={"DEFER_ALERT_WEBHOOK_URL": HOOK, "DEFER_ALERT_WEBHOOK_SECRET": SECRET})

    assert settings.webhook_url == HOOK
    assert settings.webhook_key is not None
    assert len(settings.webhook_key) == 24


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:8080"])
def test_http_is_for_this_machine(host: str) -> None:
    assert resolved(environ={"DEFER_SLACK_WEBHOOK_URL": f"http://{host}/x"}).has_channel


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.slack.com/very-secret",
        "http://127.0.0.1.example.org/very-secret",
        "hooks.slack.com/very-secret",
        "ftp://hooks.slack.com/very-secret",
        "https:///very-secret",
        "https://user:very-secret@hooks.slack.com/",
        "https://hooks.slack.com:port/very-secret",
        "https://hooks.slack.com/very-secret\r\nHost: evil",
        "https://hooks.slack.com/very secret",
        "https://[::1/very-secret",
        "file:///very-secret",
    ],
)
@pytest.mark.parametrize("variable", ["DEFER_SLACK_WEBHOOK_URL", "DEFER_ALERT_WEBHOOK_URL"])
def test_an_unsafe_address_is_refused_without_being_shown(variable: str, url: str) -> None:
    with pytest.raises(SettingError) as refused:
        resolved(environ={variable: url, "DEFER_ALERT_WEBHOOK_SECRET": SECRET})

    assert refused.value.where == variable
    assert refused.value.mend
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        (None, "there is no secret"),
        ("whsec_not base64!", "it is no base64"),
        ("whsec_c2hvcnQ=", "it stands for 5 bytes, expected 24 to 64"),
    ],
)
def test_a_webhook_without_a_right_secret_is_refused(secret: str | None, words: str) -> None:
    environ = {"DEFER_ALERT_WEBHOOK_URL": HOOK} | ({"DEFER_ALERT_WEBHOOK_SECRET": secret} if secret else {})
    with pytest.raises(SettingError, match=words) as refused:
        resolved(environ=environ)

    assert "python3 -c" in str(refused.value.mend)
    assert secret is None or secret not in str(refused.value)


@pytest.mark.parametrize(
    ("table", "where", "mend"),
    [
        ({"onn": []}, "onn", "did you mean on?"),
        ({"argument": True}, "argument", "did you mean arguments?"),
        ({"slack_webhook_url": HOOK}, "slack_webhook_url", "in the environment"),
        ({"colour": 1}, "colour", "its settings are on, arguments, url, group"),
        ({"on": ["failures"]}, "on", "did you mean failure?"),
        ({"on": ["recovery"]}, "on", "use some of failure, success, reload, missed_tick"),
        ({"on": 3}, "on", "write on"),
        ({"on": [3]}, "on", "write on"),
        ({"arguments": "maybe"}, "arguments", "use true or false"),
        ({"arguments": 1}, "arguments", "use true or false"),
        ({"url": "defer.example.org"}, "url", "https://defer.example.org"),
        ({"url": "https://d.example/|<!channel>"}, "url", "https://defer.example.org"),
        ({"url": 1}, "url", "https://defer.example.org"),
        ({"group": "0 s"}, "group", "1 min"),
        ({"group": "2 days"}, "group", "1 min"),
        ({"group": "soon"}, "group", "write it like"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_refused_with_its_place_and_the_way_out(
    table: dict[str, Any], where: str, mend: str
) -> None:
    with pytest.raises(SettingError) as refused:
        resolved(table)

    assert refused.value.where == f"[tool.defer.alerts] {where} in pyproject.toml"
    assert mend in str(refused.value.mend)
    assert "very-secret" not in str(refused.value)


def test_alerts_is_a_table() -> None:
    with pytest.raises(SettingError, match="alerts is True"):
        resolve_alert_settings(environ={}, dotenv={}, pyproject={"alerts": True})


def test_settings_do_not_show_their_secrets() -> None:
    settings = resolved(
        environ={"DEFER_SLACK_WEBHOOK_URL": HOOK, "DEFER_ALERT_WEBHOOK_URL": HOOK, "DEFER_ALERT_WEBHOOK_SECRET": SECRET}
    )

    assert "very-secret" not in repr(settings)
    assert "key=b" not in repr(settings)
