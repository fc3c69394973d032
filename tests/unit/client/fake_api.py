"""The API of a runner without a runner: answers as a test tells it to, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from defer_cli.client.http_session import Reply
from defer_cli.domain.errors import DeferError

DEADLINE_SECONDS = 20.0
NOON = "2026-01-01T12:00:00.5Z"


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    body: Any


Respond = Callable[[Asked], Reply]


def reply(data: Any, status: int = 200) -> Reply:
    """Return an answer in its envelope."""
    return Reply(status, json.dumps({"data": data}).encode())


def refusal(status: int, **detail: Any) -> Reply:
    """Return an error as a runner tells it."""
    return Reply(status, json.dumps({"error": "x", "message": detail["problem"], "detail": detail}).encode())


def stored(id: str, **fields: Any) -> dict[str, Any]:
    """Return what became of a call of a batch."""
    moments = dict.fromkeys(("created_at", "scheduled_at", "updated_at"), NOON)
    return {"id": id, "state": "created", "attempt": 0, "is_new": True, **moments, **fields}


def execution(id: str, **fields: Any) -> dict[str, Any]:
    """Return an execution as the API shows it."""
    return stored(id, function_name="compute", function_id="f", **fields)


def store(asked: Asked) -> Reply:
    """Answer as a runner that stores every call, and whose functions all return 42."""
    if asked.path.endswith("/batch"):
        return reply([stored(call["id"]) for call in asked.body["executions"]])
    if asked.path.endswith("/endings"):
        return reply([{"id": id, "state": "succeed", "result": 42} for id in asked.body["ids"]])
    return reply(execution(asked.path.rpartition("/")[2]))


def ends(*ids: str) -> Callable[[Asked], Reply]:
    """Answer with the ends of these only."""
    return lambda asked: reply([{"id": id, "state": "succeed"} for id in asked.body["ids"] if id in ids])


class FakeApi:
    """Takes requests from any thread; ``respond`` may be replaced at any time."""

    def __init__(self, respond: Respond = store) -> None:
        self.respond = respond
        self.asked: list[Asked] = []
        self._changed = threading.Condition()

    def send(self, method: str, path: str, body: bytes | None = None, *, seconds: float = 30.0) -> Reply:
        asked = Asked(method, path, None if body is None else json.loads(body))
        with self._changed:
            self.asked.append(asked)
            self._changed.notify_all()
        return self.respond(asked)

    def strange(self, reply: Reply) -> DeferError:
        return DeferError(f"strange: {reply.status} {reply.body.decode(errors='replace')}")

    def until(self, is_so: Callable[[list[Asked]], bool]) -> None:
        """Wait until a request makes ``is_so`` true."""
        with self._changed:
            assert self._changed.wait_for(lambda: is_so(self.asked), DEADLINE_SECONDS), "it did not come about"

    def bodies(self, end: str) -> list[Any]:
        """Return the bodies of requests whose path ends so."""
        return [one.body for one in list(self.asked) if one.path.endswith(end)]
