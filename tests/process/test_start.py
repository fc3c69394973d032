"""A start can be stopped at any moment, and makes good what a wrong clock or a dead runner left."""

from __future__ import annotations

import signal
import time

import pytest

from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.ids import random_id
from defer_cli.domain.states import State
from defer_cli.store.sqlite import open_store
from tests.process.harness import Project

pytestmark = pytest.mark.process

_HOUR_US = 3_600_000_000
_HANGS_IN_A_WORKER = """
    import sys, time
    if "DEFER_DATA" in os.environ:
        note("hangs")
        time.sleep(60)

    @defer
    async def hangs(): ...
"""
_HANGS = """
    import time
    note("hangs")
    time.sleep(60)

    @defer
    async def hangs(): ...
"""
_SHORT = """
    @defer
    async def short(): ...
"""


@pytest.mark.parametrize("source", [_HANGS_IN_A_WORKER, _HANGS], ids=["in a worker", "in the inspector"])
def test_a_start_that_waits_for_an_import_can_be_stopped(project: Project, source: str) -> None:
    project.write(hangs=source)
    runner = project.start("--workers", "1", "--grace", "0s")
    project.until_noted("hangs")
    runner.signal(signal.SIGTERM)

    assert runner.wait() == 0


def test_what_a_clock_that_was_ahead_has_queued_is_due_at_the_next_start(project: Project) -> None:
    project.write(short=_SHORT)
    project.data.mkdir(mode=0o700)
    ahead = open_store(project.data / "defer.db", clock=lambda: time.time_ns() // 1_000 + _HOUR_US)
    call = Enqueue(id=random_id(), function="short", arguments=b"[]", called_us=ahead.now())
    with ahead.transaction():
        ahead.insert([call])
    ahead.close()
    project.burst()

    assert project.get(call.id).state is State.SUCCEED
