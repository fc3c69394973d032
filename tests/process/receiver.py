"""A receiver of webhooks on this machine that can be slow, refuse, hang up, or be down."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

DEADLINE_SECONDS = 60.0
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass(frozen=True)
class Mail:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """What a message to Slack says."""
        return str(self.data["text"])

    @property
    def counts(self) -> list[int]:
        """How often what it tells of has happened, by alert."""
        return [alert["count"] for alert in self.data["data"]["alerts"]]


@dataclass(frozen=True)
class Answer:
    """What a request is answered with; ``status`` 0: nothing, the connection is closed."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    when: threading.Event | None = None
    """It is answered once this is set."""


class Receiver:
    """``answers`` are given in turn, the last one for good. A request counts as arrived when it was read whole."""

    def __init__(self, *answers: Answer, port: int = 0) -> None:
        self.answers = list(answers) or [Answer()]
        self.came: list[Mail] = []
        self.arrived: list[Mail] = []
        """Those that were answered well, or not at all: they may have been shown to people."""
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self), bind_and_activate=True)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/services/T0/B0/very-secret"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, mail: Mail) -> Answer:
        with self._changed:
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            self.came.append(mail)
            if answer.status < 300:
                self.arrived.append(mail)
            self._changed.notify_all()
        return answer

    def until(self, is_so: Callable[[Self], Any], what: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: is_so(self), DEADLINE_SECONDS), f"{what}; there came {self.came}"

    def until_came(self, count: int = 1) -> list[Mail]:
        self.until(lambda it: len(it.came) >= count, f"{count} requests")
        return self.came

    def until_arrived(self, count: int = 1) -> list[Mail]:
        self.until(lambda it: len(it.arrived) >= count, f"{count} messages")
        return self.arrived


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = receiver.take(Mail(self.path, headers, body))
            if answer.when is not None:
                answer.when.wait(DEADLINE_SECONDS)
            if not answer.status:
                return
            try:
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"ok")
            except OSError:  # it did not wait
                return

        def log_message(self, format: str, *args: object) -> None:
            """Tests say nothing."""

    return Handler


def slack(receiver: Receiver) -> dict[str, str]:
    """Return what a runner finds in its environment to send to Slack."""
    return {"DEFER_SLACK_WEBHOOK_URL": receiver.url}


def webhook(receiver: Receiver) -> dict[str, str]:
    """Return what a runner finds in its environment to send JSON."""
    return {"DEFER_ALERT_WEBHOOK_URL": receiver.url, "DEFER_ALERT_WEBHOOK_SECRET": SECRET}
