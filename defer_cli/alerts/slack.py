"""Messages to Slack, or to what takes the same messages: slack-sdk's webhook client over our own way out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from email.message import Message
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request

from defer_cli.alerts.channels import NotDelivered, Outcome, Uncertain, judged, retry_after
from defer_cli.alerts.messages import Told, slack_text
from defer_cli.alerts.posting import NoAnswer, NotSent, post

if TYPE_CHECKING:
    from slack_sdk.webhook import WebhookClient

_SHORT = timedelta(seconds=2)


class Slack:
    """The channel ``slack``. It cannot tell a repeat, so a message whose fate is uncertain is not sent again."""

    name = "slack"
    knows_repeats = False

    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, told: Sequence[Told], *, id: str, at: float) -> Outcome:
        """Send one message."""
        return self.say(slack_text(told))

    def say(self, text: str) -> Outcome:
        """Send one text."""
        try:
            answer = self._client.send(text=text, unfurl_links=False, unfurl_media=False)
        except NotSent as error:
            return NotDelivered(problem=str(error))
        except NoAnswer as error:
            return Uncertain(problem=str(error))
        headers = Message()
        for name, value in dict(answer.headers).items():
            headers[str(name)] = str(value)
        return judged(answer.status_code, headers)

    @cached_property
    def _client(self) -> WebhookClient:
        return _make_client(self._url)


def _make_client(url: str) -> WebhookClient:
    """Return slack-sdk's client: it is imported only when there is something to send."""
    from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler
    from slack_sdk.webhook import WebhookClient, WebhookResponse

    class BriefRateLimit(RateLimitErrorRetryHandler):
        """slack-sdk waits as long as Slack asks when that is short; else the outbox does, over restarts too."""

        def _can_retry(self, *, state: Any, request: Any, response: Any = None, error: Any = None) -> bool:
            headers = Message()
            for name, values in ({} if response is None else response.headers).items():
                headers[name] = values[0]
            wait = retry_after(headers)
            is_limited = super()._can_retry(state=state, request=request, response=response, error=error)
            return is_limited and wait is not None and wait <= _SHORT

    class Client(WebhookClient):
        """Posts with a deadline for all of it, follows no redirect."""

        def _perform_http_request_internal(self, url: str, req: Request) -> WebhookResponse:
            body = req.data if isinstance(req.data, bytes) else b""
            answer = post(url, body, dict(req.header_items()))
            if not 200 <= answer.status < 300:
                raise HTTPError(url, answer.status, "", answer.headers, BytesIO(answer.body))
            return WebhookResponse(url=url, status_code=answer.status, body="", headers=dict(answer.headers.items()))

    return Client(url, logger=_silent(), retry_handlers=[BriefRateLimit()])


def _silent() -> logging.Logger:
    """Return a logger that says nothing: slack-sdk would log the address, which is the key to the channel."""
    logger = logging.getLogger("defer_cli.alerts.slack.client")
    logger.setLevel(logging.CRITICAL + 1)
    return logger
