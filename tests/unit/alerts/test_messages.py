"""What messages say, and that nothing in them is markup, a line of its own or a secret."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from defer_cli.alerts.messages import first_line, shown_arguments, slack_text, trial_body, trial_text, webhook_body
from defer_cli.domain.alert import AlertKind
from defer_cli.domain.function import FunctionSpec, Parameter
from tests.store.harness import NOON, SECOND
from tests.unit.alerts.building import FAILURE, ID, SENDER, told

HOSTILE = "<!channel> <@U1> <https://evil|click> &lt; `code` *bold* \x1b[31m \u202e \n```"


def test_a_failure_says_what_where_how_often_and_leads_to_its_page() -> None:
    assert slack_text([told()]) == (
        "*`send_mail()` failed*\n"
        "```SMTPError: 550 blocked```\n"
        "raised (ER0003) · `src/defer/send_mail.py:12` · 3 attempts, the last one of 1.2 s\n"
        f"shop on web-1 · <https://defer.example.org/executions/{ID}|see the execution>"
    )


def test_many_failures_are_told_with_their_number_and_the_first_of_them() -> None:
    text = slack_text([told(count=12_000, last_us=NOON + 42 * SECOND)])

    assert "*`send_mail()` failed 12,000 times in 42 s*" in text
    assert "the first of them: raised (ER0003)" in text
    assert "<https://defer.example.org/executions?function=send_mail&status=failed|see all>" in text


def test_without_a_console_a_command_leads_to_the_execution() -> None:
    assert f"`defer show {ID}`" in slack_text([told(sender=replace(SENDER, url=None))])


@pytest.mark.parametrize("field", ["type", "message", "code"])
def test_what_an_error_says_is_no_markup(field: str) -> None:
    facts = FAILURE | {"location": HOSTILE, "error": FAILURE["error"] | {field: HOSTILE}}  # type: ignore[operator]
    for text in (slack_text([told(facts=facts)]), slack_text([told(facts=facts)] * 2)):
        links = re.findall(r"<[^>]*>", text)
        assert {link.partition("|")[0] for link in links} == {f"<https://defer.example.org/executions/{ID}"}
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert text.count("```") in (0, 2)


def test_names_of_functions_projects_and_machines_are_no_markup_either() -> None:
    sender = replace(SENDER, project="<!here>", machine="<!here>")

    assert "<!here>" not in slack_text([told(sender=sender, function="<!here>")])


@pytest.mark.parametrize(
    ("kind", "facts", "words"),
    [
        (AlertKind.SUCCESS, FAILURE, "`send_mail()` succeeded"),
        (
            AlertKind.RECOVERY,
            {"id": ID, "since_us": NOON, "failures": 3},
            "`send_mail()` succeeds again, after it failed 3 times since 2026-01-01 12:00 UTC",
        ),
        (
            AlertKind.RECOVERY,
            {"id": ID, "since_us": NOON, "failures": 1},
            "`send_mail()` succeeds again, after it failed once since 2026-01-01 12:00 UTC",
        ),
        (
            AlertKind.MISSED_TICK,
            {"after": "2026-01-01", "until": "2026-01-02", "reason": "no runner was up"},
            "`send_mail()` missed ticks*\nafter 2026-01-01, until 2026-01-02: no runner was up",
        ),
        (
            AlertKind.RELOAD,
            {"changed": "a.py", "outcome": "send_mail reloaded", "functions": 1, "seconds": 0.1},
            "Functions were reloaded*\nchanged a.py → send_mail reloaded",
        ),
    ],
    ids=["success", "recovery", "recovery from one", "missed tick", "reload"],
)
def test_each_kind_has_its_words(kind: AlertKind, facts: dict[str, object], words: str) -> None:
    assert words in slack_text([told(kind, facts=facts)])
    assert json.loads(webhook_body([told(kind, facts=dict(facts) | {"duration_us": 1})]))["type"] == f"alert.{kind}"


def test_many_alerts_share_a_message_with_a_line_each() -> None:
    text = slack_text([told(function=f"f{number}", count=number + 1) for number in range(20)])

    assert text.startswith("*20 alerts* of shop on web-1\n")
    assert text.count("\n") == 20
    assert "• `f19()` failed 20 times: `SMTPError: 550 blocked`" in text


def test_a_message_of_twenty_long_alerts_fits_what_slack_takes() -> None:
    facts = FAILURE | {"error": {"code": "ER0003", "type": "E" * 300, "message": "m" * 300}}

    assert len(slack_text([told(function="f" * 40, count=2, facts=facts)] * 20)) < 10_000


def test_the_first_line_that_says_something_is_told_and_cut() -> None:
    assert first_line("\n  \n first \nsecond") == "first"
    assert first_line("") == ""
    assert first_line("x" * 1_000) == "x" * 299 + "…"


def test_arguments_are_named_by_the_function_and_masked() -> None:
    parameters = (
        Parameter(name="user", kind="positional_or_keyword"),
        Parameter(name="password", kind="positional_or_keyword"),
        Parameter(name="tokens", kind="var_positional"),
    )
    spec = FunctionSpec(name="f", kind="function", module="m", file="f.py", line=1, parameters=parameters)
    stored = b'{"args": ["eve", "a", "b", "c"], "kwargs": {"api_key": "d", "n": 1}}'

    assert shown_arguments(stored, spec, ()) == {
        "args": ["eve", "•••", "•••", "•••"],
        "kwargs": {"api_key": "•••", "n": 1},
    }
    assert shown_arguments(b'["eve"]', None, ()) == {"args": ["eve"], "kwargs": {}}
    assert shown_arguments(b'{"args": [], "kwargs": {"iban": 1}}', None, ("iban",)) == {
        "args": [],
        "kwargs": {"iban": "•••"},
    }


def test_arguments_stand_in_the_message_and_are_cut() -> None:
    text = slack_text([told(arguments={"args": ["<!here>", "x" * 2_000], "kwargs": {"n": 1}})])

    assert 'arguments: `"&lt;!here&gt;", "xxx' in text
    assert len(text) < 2_000


def test_a_machine_gets_the_facts() -> None:
    assert json.loads(webhook_body([told(count=2, last_us=NOON + SECOND)])) == {
        "type": "alert.failure",
        "timestamp": "2026-01-01T12:00:01.000Z",
        "data": {
            "project": "shop",
            "machine": "web-1",
            "alerts": [
                {
                    "kind": "failure",
                    "function": "send_mail",
                    "count": 2,
                    "first_at": "2026-01-01T12:00:00.000Z",
                    "last_at": "2026-01-01T12:00:01.000Z",
                    "execution": {
                        "id": ID,
                        "url": f"https://defer.example.org/executions/{ID}",
                        "duration_seconds": 1.2,
                        "attempts": 3,
                        "location": "src/defer/send_mail.py:12",
                        "error": {"code": "ER0003", "type": "SMTPError", "message": "550 blocked"},
                    },
                }
            ],
        },
    }


def test_alerts_of_several_kinds_say_so() -> None:
    body = webhook_body([told(), told(AlertKind.SUCCESS)])

    assert json.loads(body)["type"] == "alert.several"
    assert webhook_body([told(), told(AlertKind.SUCCESS)]) == body


def test_a_lone_surrogate_does_not_stop_a_message() -> None:
    facts = FAILURE | {"error": {"code": "ER0003", "type": "E", "message": "\ud800"}}

    assert json.loads(webhook_body([told(facts=facts)]))
    slack_text([told(facts=facts)]).encode()


def test_a_test_message_says_that_it_is_one() -> None:
    assert trial_text(SENDER) == "*This is a test.* Alerts of shop on web-1 arrive here."
    assert json.loads(trial_body(SENDER, at_us=NOON)) == {
        "type": "alert.test",
        "timestamp": "2026-01-01T12:00:00.000Z",
        "data": {"project": "shop", "machine": "web-1", "alerts": []},
    }
