"""Alerts, moves and senders for the tests."""

from __future__ import annotations

from typing import Any

from defer_cli.alerts.messages import Sender, Told
from defer_cli.domain.alert import Alert, AlertKind, AlertState
from defer_cli.domain.execution import ExecutionError
from defer_cli.domain.settle import Move
from defer_cli.domain.states import State
from tests.store.harness import NOON, SECOND

ID = "01m8berk29efxax6py60dezy4b"
SENDER = Sender(project="shop", machine="web-1", url="https://defer.example.org")
FAILURE = {
    "id": ID,
    "attempts": 3,
    "duration_us": 1_200_000,
    "location": "src/defer/send_mail.py:12",
    "error": {"code": "ER0003", "type": "SMTPError", "message": "550 blocked"},
}


def alert(kind: AlertKind = AlertKind.FAILURE, number: int = 1, **fields: Any) -> Alert:
    given = dict[str, Any](
        number=number,
        kind=kind,
        function="send_mail",
        count=1,
        first_us=NOON,
        last_us=NOON,
        facts=FAILURE,
        state=AlertState.WAITING,
    )
    return Alert(**given | fields)


def told(kind: AlertKind = AlertKind.FAILURE, *, arguments: Any = None, sender: Sender = SENDER, **fields: Any) -> Told:
    return Told(alert(kind, **fields), sender, arguments)


def move(name: str = "fail", function: str = "send_mail", seq: int = 1, **fields: Any) -> Move:
    target = State.SUCCEED if name == "succeed" else State.FAILED
    error = (
        None if name == "succeed" else ExecutionError(code="ER0003", type="E", message="no\nmore", location="a.py:1")
    )
    given = dict[str, Any](at_us=NOON + SECOND, started_us=NOON, error=error) | fields
    return Move(name, seq, f"id-{seq}", 1, State.STARTED, target, function, **given)
