"""What a runner would answer to questions and changes, for the tests of asking."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from defer_cli.link.frames import Answer, Ask
from tests.unit.client.fake_runner import FakeRunner, store

NOON = "2026-01-01T12:00:00Z"


def execution(id: str, **fields: Any) -> dict[str, Any]:
    """Return an execution as it travels."""
    return {
        "id": id,
        "function": "compute",
        "state": "created",
        "attempt": 0,
        "created_at": NOON,
        "scheduled_at": NOON,
        "updated_at": NOON,
        "started_at": None,
        "finished_at": None,
        "discard_after": None,
        "metadata": {},
        "came_from": "call",
        "parent": None,
        "rerun_of": None,
        "executed_by": None,
        "charged": 0,
        "losses": 0,
        "error_code": None,
        **fields,
    }


def listing(*items: Any) -> dict[str, Any]:
    """Return a page as it travels."""
    return {"items": list(items), "page_info": {"has_next_page": False, "has_prev_page": False}}


def tell(frame: Any, about: Any = None) -> Struct | None:
    """Answer as a runner that knows every id and makes every change; ``about`` stands for what it knows."""
    if not isinstance(frame, Ask):
        return store(frame)
    name, parameters = frame.name, frame.parameters
    if name in ("executions", "attempts"):
        return Answer(frame.number, listing())
    if name in ("execution", "ending"):
        state = "created" if name == "execution" else "succeed"
        return Answer(frame.number, about or execution(parameters["id"], state=state, result="42", error=None))
    pairs = parameters["pairs"] if name == "rerun" else [(id, id) for id in parameters["ids"]]
    return Answer(frame.number, [{"id": id, "execution": about or execution(new)} for id, new in pairs])


def asked(runner: FakeRunner) -> list[Ask]:
    """Return the questions and changes that have arrived, those sent again included."""
    return [frame for frame in list(runner.frames) if isinstance(frame, Ask)]
