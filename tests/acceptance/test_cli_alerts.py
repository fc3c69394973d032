"""`defer doctor` about alerts: where they go, whether they arrive, and which did not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from defer_cli.domain.alert import AlertKind, Grouping, News
from defer_cli.store.sqlite import open_store
from tests.acceptance.command import Answer, defer
from tests.process.receiver import SECRET, Receiver, slack, webhook
from tests.process.receiver import Answer as Reply

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]


def findings(answer: Answer, check: str) -> list[dict[str, Any]]:
    return [one for one in json.loads(answer.out)["checks"] if one["check"] == check]


def test_a_test_message_is_sent_through_each_channel_and_nothing_else_is_done(project: Path) -> None:
    with Receiver() as people, Receiver() as machines:
        answer = defer(project, "doctor", "--alert", env=slack(people) | webhook(machines))

    assert (answer.code, answer.err) == (0, "no problems\n")
    assert "Slack took a test message" in answer.out
    assert "the webhook took a test message" in answer.out
    assert people.came[0].text.startswith("*This is a test.*")
    assert machines.came[0].data["type"] == "alert.test"
    assert machines.came[0].headers["webhook-signature"].startswith("v1,")
    assert "very-secret" not in answer.out
    assert not (project / ".defer").exists()


@pytest.mark.parametrize(
    ("reply", "words"),
    [(Reply(404), "it answered 404"), (Reply(302, {"Location": "http://127.0.0.1:1/"}), "redirects are not followed")],
)
def test_a_test_message_that_is_not_taken_is_a_problem(reply: Reply, words: str, project: Path) -> None:
    with Receiver(reply) as receiver:
        answer = defer(project, "doctor", "--alert", "--json", env=slack(receiver))

    (found,) = findings(answer, "alert")
    assert (answer.code, found["level"]) == (1, "problem")
    assert words in found["message"]
    assert found["mend"]


def test_without_a_channel_a_test_message_has_nowhere_to_go(project: Path) -> None:
    answer = defer(project, "doctor", "--alert")

    assert answer.code == 1
    assert "DEFER_SLACK_WEBHOOK_URL" in answer.out


def test_a_wrong_setting_is_told_and_nothing_is_sent(project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.defer.alerts]\non = ["failures"]\n')
    with Receiver() as receiver:
        answer = defer(project, "doctor", "--alert", env=slack(receiver))

    assert answer.code == 1
    assert "did you mean failure?" in answer.out
    assert receiver.came == []
    assert defer(project, "run", env=slack(receiver)).code == 3


def test_the_doctor_says_where_alerts_go(project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.defer.alerts]\ngroup = "5 min"\n')
    env = {
        "DEFER_SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T0/B0/very-secret",
        "DEFER_ALERT_WEBHOOK_URL": "https://example.org/very-secret",
        "DEFER_ALERT_WEBHOOK_SECRET": SECRET,
    }
    answer = defer(project, "doctor", "--json", env=env)
    (told,) = findings(answer, "alerts")

    assert (told["level"], answer.code) == ("ok", 0)
    assert told["message"].startswith("to Slack and a webhook, on failure")
    assert "[tool.defer.alerts] group in pyproject.toml: 5 min" in [
        one["message"] for one in findings(answer, "setting")
    ]
    assert "very-secret" not in answer.out
    assert SECRET not in answer.out


def test_a_variable_in_the_env_file_is_told_not_to_count(project: Path) -> None:
    (project / ".env").write_text("DEFER_SLACK_WEBHOOK_URL=https://hooks.slack.com/services/very-secret\n")
    (told,) = findings(defer(project, "doctor", "--json"), "alerts")

    assert (told["level"], "does not count in .env" in told["message"]) == ("warning", True)
    assert "very-secret" not in told["message"]


def test_what_did_not_arrive_is_a_warning(project: Path) -> None:
    (project / ".defer").mkdir(mode=0o700)
    store = open_store(project / ".defer" / "defer.db")
    now_us = store.now()
    old_us = now_us - 3_600_000_000
    with store.transaction():
        news = [
            News(kind=AlertKind.FAILURE, function=name, first_us=old_us, last_us=old_us) for name in ("a", "b", "c")
        ]
        store.outbox.add(news, channels=["slack"], grouping=Grouping())
        lost, late, _ = store.outbox.due("slack", now_us=now_us, limit=3)
        store.outbox.begin([lost], message="m1", at_us=now_us)
        store.outbox.give_up("m1", at_us=now_us, problem="no answer within 5 s: it may have arrived")
        store.outbox.begin([late], message="m2", at_us=now_us)
        store.outbox.put_off("m2", until_us=now_us, problem="it answered 500")
    store.close()
    _, waiting, given_up = findings(defer(project, "doctor", "--json"), "alerts")

    assert (waiting["level"], given_up["level"]) == ("warning", "warning")
    assert waiting["message"] == "2 alerts wait, the oldest from 1h ago: it answered 500"
    assert given_up["message"].startswith("1 alert given up in the last 7 days: ")
    assert waiting["mend"]
    assert given_up["mend"]


def test_a_database_of_an_older_version_has_no_alerts_to_tell_of(project: Path) -> None:
    (project / ".defer").mkdir(mode=0o700)
    store = open_store(project / ".defer" / "defer.db")
    store._session.execute("DROP TABLE alerts")
    store._session.execute("UPDATE meta SET value = '3' WHERE key = 'schema_version'")
    store.close()
    answer = defer(project, "doctor", "--json")

    assert [one["level"] for one in findings(answer, "alerts")] == ["ok"]
