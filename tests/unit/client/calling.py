"""Short ways to call, to refuse and to wait, for the tests of handles."""

from __future__ import annotations

import threading
from typing import Any

from defer_cli.client.calls import Call, make_call
from defer_cli.domain.enqueue import Refused
from defer_cli.link.frames import Enqueued, Enqueues
from tests.unit.client.conftest import Function
from tests.unit.client.fake_runner import DEADLINE_SECONDS, store


def call(fn: Function, *args: Any) -> Call:
    return make_call(fn, args, {})


def refuse(frame: Any) -> Any:
    if isinstance(frame, Enqueues):
        return Enqueued(frame.number, 1, [Refused(one.id, "the key is taken", "use another") for one in frame.calls])
    return store(frame)


def in_thread(work: Any) -> Any:
    """Return what ``work`` came to on a thread of its own."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()
    thread.join(DEADLINE_SECONDS)
    assert found, "it did not end"
    return found[0]
