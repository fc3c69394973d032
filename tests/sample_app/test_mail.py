"""The mail's headers and its two bodies."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

import pytest

from marketplace.mail import recommendation_mail
from marketplace.recommender import Recommendation

MONDAY = datetime(2026, 11, 23, 8, tzinfo=UTC)
PICKS = [Recommendation(product=7, department=2, reason="because you rated <b>salt & pepper</b> 5")]


def mail(*, execution_id: str = "01h", at: datetime = MONDAY) -> EmailMessage:
    return recommendation_mail(12, PICKS, execution_id=execution_id, at=at)


def body(kind: str) -> str:
    part = mail().get_body((kind,))
    assert isinstance(part, EmailMessage)
    content = part.get_content()
    assert isinstance(content, str)
    return content


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Subject", "Five products you may like"),
        ("From", "Marketplace <recommendations@marketplace.example>"),
        ("To", "user-12@marketplace.example"),
        ("List-Unsubscribe", "<https://marketplace.example/unsubscribe?user=12>"),
    ],
)
def test_the_mail_says_who_writes_to_whom(name: str, value: str) -> None:
    assert mail()[name] == value


def test_the_date_is_the_moment_of_sending() -> None:
    assert parsedate_to_datetime(mail()["Date"]) == MONDAY


def test_an_execution_that_runs_again_writes_the_same_message_id() -> None:
    later = MONDAY.replace(hour=9)

    assert mail(execution_id="01h")["Message-ID"] == mail(execution_id="01h", at=later)["Message-ID"]


def test_another_execution_writes_another_message_id() -> None:
    assert mail(execution_id="01h")["Message-ID"] != mail(execution_id="01j")["Message-ID"]


def test_the_text_names_the_product_and_the_reason() -> None:
    assert "1. Product 7 (department 2),\n   because you rated <b>salt & pepper</b> 5\n" in body("plain")


def test_the_page_escapes_what_is_not_markup() -> None:
    assert "because you rated &lt;b&gt;salt &amp; pepper&lt;/b&gt; 5</li>" in body("html")


def test_the_mail_offers_text_and_page_as_alternatives() -> None:
    assert mail().get_content_type() == "multipart/alternative"
