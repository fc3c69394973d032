"""docs/alerts.md tells what the code does: its commands, its settings, its example, how a signature is checked."""

from __future__ import annotations

import base64
import json
import re
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from defer_cli.alerts.messages import webhook_body
from defer_cli.alerts.signing import signed_headers
from defer_cli.domain import alert_settings
from defer_cli.domain.alert import AlertKind
from defer_cli.domain.alert_settings import AlertSettings, resolve_alert_settings
from tests.acceptance.pages import DOCS, Reader, blocks, shell
from tests.process.receiver import Receiver
from tests.store.harness import NOON, SECOND
from tests.unit.alerts.building import told

PAGE = (DOCS / "alerts.md").read_text()


def texts(kind: str) -> list[str]:
    return [block.text for block in blocks("alerts.md") if block.kind == kind]


@pytest.mark.process
def test_the_commands_answer_what_the_page_says(tmp_path: Path) -> None:
    with Receiver() as people, shell(tmp_path) as typed:
        here = {"https://hooks.slack.com/services/…": people.url}
        Reader(typed, tmp_path, {"defer run": "runner ready"}, here).follow(blocks("alerts.md"))
        code, said = typed.type("defer check")

    assert (code, "ping" in said) == (0, True), said
    assert [mail.text.startswith("*This is a test.*") for mail in people.came] == [True]


def test_every_setting_and_every_variable_is_told() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)

    assert rows == [*alert_settings._PARSERS, *alert_settings._SECRETS]
    assert set(re.findall(r"`alert\.(\w+)`", PAGE)) == {*map(str, AlertKind), "several", "test"}


def test_the_table_is_taken() -> None:
    (table,) = texts("toml")
    settings = resolve_alert_settings(environ={}, dotenv={}, pyproject=tomllib.loads(table)["tool"]["defer"])

    assert settings == AlertSettings(on=(AlertKind.FAILURE, AlertKind.MISSED_TICK), url="https://defer.example.org")


def test_the_example_is_what_is_sent() -> None:
    (example,) = texts("json")

    assert json.loads(example) == json.loads(webhook_body([told(count=2, last_us=NOON + SECOND)]))


def test_the_secret_is_one_that_is_taken() -> None:
    (command,) = [line for text in texts("console") for line in text.splitlines() if "'whsec_'" in line]
    code = command.partition('-c "')[2].removesuffix('"')
    printed: list[str] = []
    exec(code, {"print": printed.append})
    environ = {"DEFER_ALERT_WEBHOOK_URL": "https://example.org", "DEFER_ALERT_WEBHOOK_SECRET": printed[0]}

    assert resolve_alert_settings(environ=environ, dotenv={}, pyproject={}).webhook_key is not None


@pytest.mark.parametrize(
    ("late_seconds", "body", "is_right"), [(0, b"{}", True), (0, b"{ }", False), (-301, b"{}", False)]
)
def test_a_signature_is_checked_as_the_page_says(late_seconds: int, body: bytes, is_right: bool) -> None:
    (_, check) = texts("python")
    scope: dict[str, Any] = {}
    exec(check, scope)
    secret, key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed_headers(key, id="msg_1", at=int(time.time()) + late_seconds, body=b"{}")

    assert scope["is_from_defer"](headers, body, secret) is is_right
