"""A message that shows that messages arrive."""

from __future__ import annotations

from collections.abc import Iterator

from defer_cli.alerts.channels import Outcome
from defer_cli.alerts.messages import Sender, trial_body, trial_text
from defer_cli.alerts.slack import Slack
from defer_cli.alerts.webhook import Webhook
from defer_cli.domain.alert_settings import AlertSettings
from defer_cli.domain.ids import random_id


def send(settings: AlertSettings, sender: Sender, *, at_us: int) -> Iterator[tuple[str, Outcome]]:
    """Send a test message through each channel; yield the channel's name and what came of it."""
    if settings.slack_url is not None:
        yield "Slack", Slack(settings.slack_url).say(trial_text(sender))
    if settings.webhook_url is not None and settings.webhook_key is not None:
        channel = Webhook(settings.webhook_url, settings.webhook_key)
        body = trial_body(sender, at_us=at_us)
        yield "the webhook", channel.deliver(body, id=f"msg_{random_id()}", at=at_us / 1e6)
