"""The weekly mail, from the cron to the mails: its functions run in this process, on a few of the ratings."""

from __future__ import annotations

import gzip
from email import message_from_bytes
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from defer.compute_product_recommendation import compute_product_recommendation
from defer.weekly_product_recommendations import weekly_product_recommendations
from defer_cli.testing import Drained, Sandbox
from marketplace import shop
from marketplace.ratings import Ratings, read_ratings
from marketplace.recommender import Recommender
from tests.sample_app.postbox import Postbox, listening

ROWS = 300


class BusyPostbox(Postbox):
    """Turns the first mail away."""

    is_busy = True

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.is_busy:
            self.is_busy = False
            return "451 busy, try again later"
        return await super().handle_DATA(server, session, envelope)


@pytest.fixture
def ratings(app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ratings:
    """The first ratings, as all that the shop has."""
    with gzip.open(app / "data" / "ratings.csv.gz", "rt") as whole:
        head = "".join(line for _, line in zip(range(ROWS + 1), whole, strict=False))
    cut = tmp_path / "ratings.csv.gz"
    cut.write_bytes(gzip.compress(head.encode()))
    ratings = read_ratings(cut)
    recommender = Recommender(ratings)
    monkeypatch.setattr(shop, "ratings", lambda: ratings)
    monkeypatch.setattr(shop, "recommender", lambda: recommender)
    return ratings


@pytest.fixture(autouse=True)
def outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An outbox for this test alone."""
    folder = tmp_path / "outbox"
    monkeypatch.setenv("OUTBOX", str(folder))
    monkeypatch.delenv("SMTP_URL", raising=False)
    return folder


async def test_everyone_who_opted_in_gets_a_mail(sandbox: Sandbox, ratings: Ratings, outbox: Path) -> None:
    week = sandbox.trigger(weekly_product_recommendations)

    await sandbox.drain()

    sent = sandbox.executions(compute_product_recommendation)
    assert [sandbox.arguments(one)["user"] for one in sent] == ratings.opted_in()
    assert sandbox.result(week) == len(sent) > 1
    for one in sent:
        mail = message_from_bytes((outbox / f"{sandbox.arguments(one)['user']}.eml").read_bytes())
        assert mail["Message-ID"] == f"<{one.id}@marketplace.example>"
        assert len(sandbox.result(one)) == 5


async def test_a_mail_that_the_server_refuses_is_sent_again(
    sandbox: Sandbox, ratings: Ratings, monkeypatch: pytest.MonkeyPatch
) -> None:
    postbox = BusyPostbox()
    with listening(postbox) as port:
        monkeypatch.setenv("SMTP_URL", f"smtp://127.0.0.1:{port}")
        call = compute_product_recommendation(ratings.opted_in()[0])

        assert await sandbox.drain() == Drained(succeed=1, retried=1)

    refused, sent = sandbox.attempts(call)
    assert (refused.error and refused.error.type, sent.state) == ("smtplib.SMTPDataError", "succeed")
    assert [message_from_bytes(mail)["Message-ID"] for mail in postbox.mails] == [f"<{call.id}@marketplace.example>"]
