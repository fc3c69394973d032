"""What an answer of the other side means, and that slack-sdk keeps the address to itself."""

from __future__ import annotations

import logging
from datetime import timedelta
from email.message import Message

import pytest

from defer_cli.alerts.channels import Delivered, NotDelivered, Outcome, Uncertain, judged, retry_after
from defer_cli.alerts.slack import Slack
from defer_cli.alerts.webhook import Webhook
from tests.process.receiver import Answer, Receiver
from tests.unit.alerts.building import told

KEY = bytes(24)


def headers(**given: str) -> Message:
    message = Message()
    for name, value in given.items():
        message[name.replace("_", "-")] = value
    return message


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Delivered()),
        (204, Delivered()),
        (302, NotDelivered(problem="it answered 302: redirects are not followed")),
        (400, NotDelivered(problem="it answered 400", is_its_own=True)),
        (404, NotDelivered(problem="it answered 404")),
        (429, NotDelivered(problem="it answered 429")),
        (500, NotDelivered(problem="it answered 500")),
    ],
)
def test_a_status_tells_what_became_of_a_message(status: int, outcome: Outcome) -> None:
    assert judged(status, headers()) == outcome


@pytest.mark.parametrize(
    ("value", "wait"),
    [("30", 30), (" 1 ", 1), ("0", 0), ("-1", None), ("soon", None), ("1.5", None), ("9" * 20, None), ("²", None)],
)
def test_the_wait_that_is_asked_for_is_read_in_seconds(value: str, wait: int | None) -> None:
    expected = None if wait is None else timedelta(seconds=wait)

    assert retry_after(headers(Retry_After=value)) == expected


@pytest.mark.parametrize("channel", ["slack", "webhook"])
@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Answer(), Delivered()),
        (Answer(500), NotDelivered(problem="it answered 500")),
        (
            Answer(429, {"Retry-After": "30"}),
            NotDelivered(problem="it answered 429", retry_after=timedelta(seconds=30)),
        ),
        (Answer(429, {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}), NotDelivered(problem="it answered 429")),
    ],
    ids=["200", "500", "429 for long", "429 with a date"],
)
def test_a_channel_tells_what_became_of_its_message(channel: str, answer: Answer, outcome: Outcome) -> None:
    with Receiver(answer) as receiver:
        one = Slack(receiver.url) if channel == "slack" else Webhook(receiver.url, KEY)
        sent = one.send([told()], id="msg_1", at=0.0)

        assert sent == outcome
        assert len(receiver.came) == 1


@pytest.mark.parametrize("channel", ["slack", "webhook"])
def test_a_channel_says_when_it_does_not_know(channel: str) -> None:
    with Receiver(Answer(0)) as receiver:
        one = Slack(receiver.url) if channel == "slack" else Webhook(receiver.url, KEY)

        assert isinstance(one.send([told()], id="msg_1", at=0.0), Uncertain)


def test_a_short_wait_that_slack_asks_for_is_slack_sdks_to_wait() -> None:
    with Receiver(Answer(429, {"Retry-After": "1"}), Answer()) as receiver:
        assert Slack(receiver.url).say("hello") == Delivered()
        assert len(receiver.came) == 2


def test_slack_gets_one_text_and_shows_no_previews() -> None:
    with Receiver() as receiver:
        Slack(receiver.url).say("hello")
        (mail,) = receiver.came

    assert mail.data == {"text": "hello", "unfurl_links": False, "unfurl_media": False}


def test_slack_sdk_logs_nothing_whatever_the_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Receiver(Answer(500)) as receiver:
        Slack(receiver.url).say("hello")
    Slack(receiver.url).say("nobody is there")

    assert "very-secret" not in caplog.text
