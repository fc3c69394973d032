"""Messages as JSON to an address of one's own, signed as Standard Webhooks specify."""

from __future__ import annotations

from collections.abc import Sequence

from defer_cli import __version__
from defer_cli.alerts.channels import NotDelivered, Outcome, Uncertain, judged
from defer_cli.alerts.messages import Told, webhook_body
from defer_cli.alerts.posting import NoAnswer, NotSent, post
from defer_cli.alerts.signing import signed_headers


class Webhook:
    """The channel ``webhook``. A message keeps its id each time it is sent: who receives it can tell a repeat."""

    name = "webhook"
    knows_repeats = True

    def __init__(self, url: str, key: bytes) -> None:
        self._url = url
        self._key = key

    def send(self, told: Sequence[Told], *, id: str, at: float) -> Outcome:
        """Send one message."""
        return self.deliver(webhook_body(told), id=id, at=at)

    def deliver(self, body: bytes, *, id: str, at: float) -> Outcome:
        """Send one body."""
        headers = signed_headers(self._key, id=id, at=int(at), body=body)
        headers |= {"content-type": "application/json", "user-agent": f"defer/{__version__}"}
        try:
            answer = post(self._url, body, headers)
        except NotSent as error:
            return NotDelivered(problem=str(error))
        except NoAnswer as error:
            return Uncertain(problem=str(error))
        return judged(answer.status, answer.headers)
