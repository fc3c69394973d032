"""What begins before the disk has it: only calls that nobody was told of, and that nobody can ask for."""

from __future__ import annotations

import pytest

from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.settle import Running
from defer_cli.store.contract import Claim
from defer_cli.store.turn import Request, Turn
from tests.store.harness import call

CALLS = [call(), call()]


def _asked(*calls: Enqueue, is_told_on_thread: bool = True) -> Request:
    return Request(len(calls), lambda value, error: None, None, calls, is_told_on_thread)


def _claimed(begun: int, *, waited: int = 0) -> Claim:
    started = [Running(seq, str(seq), "compute", 1, 0, 0) for seq in range(begun + waited)]
    return Claim(started, [], begun=begun)


_DONE = Request(1, lambda value, error: None, lambda store: None)
_SHAPES: dict[str, tuple[list[Request], Claim | None, bool]] = {
    "a call": ([_asked(call())], _claimed(1), True),
    "calls of several callers": ([_asked(*CALLS), _asked(*CALLS)], _claimed(4), True),
    "beside something else that was asked for": ([_DONE, _asked(call())], _claimed(1), True),
    "beside calls that are not started": ([_asked(*CALLS)], _claimed(1), True),
    "has a key": ([_asked(*CALLS, call(key="k"))], _claimed(3), False),
    "has a parent": ([_asked(*CALLS), _asked(call(parent="p"))], _claimed(3), False),
    "may have been accepted before": ([_asked(call(), is_told_on_thread=False)], _claimed(1), False),
    "has waited": ([], _claimed(0, waited=1), False),
    "beside one that has waited": ([_asked(call())], _claimed(1, waited=1), False),
    "nothing is claimed": ([_asked(call())], None, False),
}


@pytest.mark.parametrize("shape", _SHAPES)
def test_only_what_nobody_has_heard_of_begins_before_the_disk_has_it(shape: str) -> None:
    turn = Turn()
    turn.requests, turn.claim, expected = _SHAPES[shape]

    assert turn.is_unheard_of is expected
