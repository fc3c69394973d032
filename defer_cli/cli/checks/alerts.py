"""Alerts: where they go, whether any did not arrive, whether a test message does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from defer_cli.cli.check import counted
from defer_cli.cli.checks.findings import Finding, ok, problem, refused, warning
from defer_cli.cli.output import distance_words
from defer_cli.domain.alert_settings import SLACK_VARIABLE, WEBHOOK_VARIABLE
from defer_cli.domain.execution import to_microseconds, to_moment

if TYPE_CHECKING:
    from defer_cli.alerts.channels import Outcome
    from defer_cli.cli.checks.project import Subject
    from defer_cli.domain.alert_settings import AlertSettings

_LONG = timedelta(minutes=10)
_TEST = "`defer doctor --alert` sends a test message"


def check_alerts(subject: Subject, undelivered: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Tell where alerts go; ``undelivered`` is what the store says of those that did not arrive."""
    for name, error in subject.errors:
        if name == "alerts":
            yield refused("alerts", error)
            return
    settings = subject.alerts
    for variable in settings.not_counted:
        yield warning("alerts", f"{variable} does not count in .env", "set it in the real environment of the runner")
    if settings.has_channel:
        kinds = ", ".join(map(str, settings.on)) or "nothing"
        yield ok("alerts", f"to {' and '.join(_names(settings))}, on {kinds}; {_TEST}")
    elif not settings.not_counted:
        yield ok("alerts", f"none; set {SLACK_VARIABLE} to be told of failures in Slack")
    if undelivered is not None:
        yield from _undelivered(undelivered, has_channel=settings.has_channel)


def send_test(subject: Subject) -> Iterator[Finding]:
    """Send a message through each channel, and tell what came of it."""
    settings = subject.alerts
    if not settings.has_channel:
        words = "there is nowhere to send a test message to"
        yield problem("alert", words, f"set {SLACK_VARIABLE} or {WEBHOOK_VARIABLE} in the environment")
        return
    import os
    import socket

    from defer_cli.alerts import trial
    from defer_cli.alerts.messages import Sender

    sender = Sender(project=os.path.basename(subject.root or os.getcwd()), machine=socket.gethostname())
    for name, outcome in trial.send(settings, sender, at_us=to_microseconds(datetime.now(UTC))):
        yield _tested(name, outcome)


def _tested(name: str, outcome: Outcome) -> Finding:
    problem_words: str | None = getattr(outcome, "problem", None)
    if problem_words is None:
        return ok("alert", f"{name} took a test message")
    mend = "check its address, and whether this machine may reach it"
    return problem("alert", f"{name} did not take a test message: {problem_words}", mend)


def _undelivered(told: Mapping[str, Any], *, has_channel: bool) -> Iterator[Finding]:
    now = datetime.now(UTC)
    why = f": {told['problem']}" if told["problem"] else ""
    if told["waiting"]:
        since = to_moment(told["oldest_us"])
        if now - since > _LONG:
            mend = _TEST if has_channel else f"start a runner with {SLACK_VARIABLE} or {WEBHOOK_VARIABLE}"
            words = f"{counted(told['waiting'], 'alert')} wait, the oldest from {distance_words(since, now=now)}{why}"
            yield warning("alerts", words, mend)
    if told["given_up"]:
        words = f"{counted(told['given_up'], 'alert')} given up in the last 7 days{why}"
        yield warning("alerts", words, f"see the log of the runner; {_TEST}")


def _names(settings: AlertSettings) -> list[str]:
    return [name for name, url in (("Slack", settings.slack_url), ("a webhook", settings.webhook_url)) if url]
