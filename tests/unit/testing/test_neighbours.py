"""What else is on its way in the process of a test is none of its sandbox's business."""

from __future__ import annotations

from defer_cli.client.delivery import Delivery
from defer_cli.client.lanes import Lane
from defer_cli.client.process import sender
from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.errors import NoRunner
from defer_cli.domain.ids import random_id
from defer_cli.testing import Sandbox
from defer_cli.testing.lanes import Link
from tests.unit.testing.functions import greet


class _Silent(Lane):
    """Leads to a runner that takes everything and says nothing."""

    def __init__(self) -> None:
        self.route = Link(lambda message: None)

    @property
    def is_open(self) -> bool:
        return True

    def open(self) -> Link:
        return self.route

    def folder(self) -> None:
        return None


def test_a_call_that_another_test_left_behind_holds_no_sandbox_up() -> None:
    lane = _Silent()
    sender().put(Delivery(Enqueue(random_id(), "elsewhere", b"[]", 1), lane, None))
    with Sandbox() as sandbox:
        greet("Ada")
        states = [one.state for one in sandbox.executions(greet)]
    still_there = sender().unanswered_on([lane])
    lane.route.lost(NoRunner("it was taken away"))

    assert (states, still_there) == (["created"], 1)
