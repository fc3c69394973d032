"""Who waits is answered once; an attempt that waits for several things goes on after the last."""

from __future__ import annotations

import json
from typing import cast

import pytest
from msgspec import Struct

from defer_cli.domain.errors import WaitRefused
from defer_cli.domain.execution import ExecutionError
from defer_cli.domain.settle import Move
from defer_cli.domain.states import State
from defer_cli.engine.places import Places
from defer_cli.engine.slots import Slots
from defer_cli.engine.waiting import Waiting
from defer_cli.link.frames import Ended, Failure
from defer_cli.workers.process import Assigned, WorkerProcess
from tests.unit.engine.harness import running, spec


class Caller:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.sent: list[Struct] = []
        self.waiting = 0
        self.takes_work = True
        self.is_alone = False
        self.load = 0

    def send(self, message: Struct) -> None:
        self.sent.append(message)

    @property
    def answered(self) -> list[int]:
        return [frame.number for frame in self.sent if isinstance(frame, Ended | Failure)]


class Bench:
    """Waits of callers outside, and of the attempts 7 and 8 in a worker."""

    def __init__(self) -> None:
        self.worker = Caller()
        self.granted = 0
        process = cast("WorkerProcess", self.worker)
        self.attempts = {seq: Assigned(running(seq), spec(), process, span=1.0, deadline=1.0) for seq in (7, 8)}
        self.waiting = Waiting(Slots(10, self.grant, Places()), self.attempts.get)

    def grant(self, slots: int) -> None:
        self.granted += slots


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def waiting(bench: Bench) -> Waiting:
    return bench.waiting


def test_everybody_who_waits_is_answered(waiting: Waiting) -> None:
    one, other = Caller(), Caller()
    waiting.add(one, 1, "x", seq=0)
    waiting.add(other, 1, "x", seq=0)
    waiting.ended("x", "succeed", b"1", None)

    assert one.sent == other.sent == [Ended(1, "x", "succeed", b"1", None)]
    assert waiting.is_awaited("x") is False


def test_an_answer_is_given_once(waiting: Waiting) -> None:
    caller = Caller()
    waiting.add(caller, 1, "x", seq=0)
    for _ in range(2):
        waiting.ended("x", "succeed", None, None)

    assert caller.answered == [1]


def test_a_caller_outside_gives_no_slot_back(bench: Bench, waiting: Waiting) -> None:
    waiting.add(Caller(), 1, "x", seq=0)

    assert bench.granted == 0


def test_a_caller_cannot_give_back_the_slot_of_an_attempt_elsewhere(bench: Bench, waiting: Waiting) -> None:
    waiting.add(Caller(), 1, "x", seq=7)

    assert (bench.granted, waiting.attempts) == (0, [])


def test_an_attempt_gives_its_slot_back_until_the_last_wait_is_over(bench: Bench, waiting: Waiting) -> None:
    for number, child in enumerate(("x", "y")):
        waiting.add(bench.worker, number, child, seq=7)
    both = bench.granted
    waiting.ended("x", "succeed", None, None)
    one = bench.granted
    waiting.ended("y", "succeed", None, None)

    assert (both, one, bench.granted) == (1, 1, 0)
    assert bench.worker.answered == [0, 1]


def test_an_attempt_that_waits_twice_for_one_execution_waits_until_both_are_over(
    bench: Bench, waiting: Waiting
) -> None:
    for number in (1, 2):
        waiting.add(bench.worker, number, "x", seq=7)
    waiting.cut(bench.worker, 1)
    one = bench.granted
    waiting.ended("x", "succeed", None, None)

    assert (one, bench.granted, bench.worker.answered) == (1, 0, [2])


def test_a_failure_travels_as_json(waiting: Waiting) -> None:
    caller = Caller()
    waiting.add(caller, 1, "x", seq=0)
    error = ExecutionError(code="ER0003", type="ValueError", message="no")
    waiting.settled([Move("fail", 1, "x", 1, State.STARTED, State.FAILED, "f", 0, error=error)])
    (ended,) = caller.sent

    assert isinstance(ended, Ended)
    assert (ended.state, ended.result) == ("failed", None)
    assert json.loads(ended.error or b"")["message"] == "no"


def test_a_thread_that_an_attempt_left_behind_is_answered_and_holds_no_slot(bench: Bench, waiting: Waiting) -> None:
    for number, seq in ((1, 7), (2, 8)):
        waiting.add(bench.worker, number, "x", seq=seq)
    waiting.release(bench.attempts[7])
    left = waiting.attempts
    waiting.ended("x", "succeed", None, None)

    assert left == [bench.attempts[8]]
    assert bench.worker.answered == [1, 2]
    assert bench.granted == 1  # the slot of the one that ended; its own attempt was released by whoever ended it


def test_a_wait_that_is_cut_is_not_answered_and_leaves_the_others(waiting: Waiting) -> None:
    mine, other = Caller(), Caller()
    waiting.add(mine, 1, "x", seq=0)
    waiting.add(other, 1, "x", seq=0)
    waiting.cut(mine, 1)
    waiting.ended("x", "succeed", None, None)

    assert (mine.answered, other.answered) == ([], [1])


def test_an_attempt_whose_wait_is_cut_takes_its_slot_again(bench: Bench, waiting: Waiting) -> None:
    waiting.add(bench.worker, 1, "x", seq=7)
    waiting.cut(bench.worker, 1)

    assert bench.granted == 0
    assert waiting.is_awaited("x") is False


def test_an_attempt_that_has_another_wait_takes_no_slot_when_one_is_cut(bench: Bench, waiting: Waiting) -> None:
    for number, child in enumerate(("x", "y")):
        waiting.add(bench.worker, number, child, seq=7)
    waiting.cut(bench.worker, 0)

    assert bench.granted == 1


def test_a_cut_that_comes_after_the_answer_changes_nothing(bench: Bench, waiting: Waiting) -> None:
    waiting.add(bench.worker, 1, "x", seq=7)
    waiting.ended("x", "succeed", None, None)
    waiting.cut(bench.worker, 1)

    assert bench.granted == 0


def test_the_waits_of_a_caller_that_has_gone_are_dropped(waiting: Waiting) -> None:
    mine, other = Caller(), Caller()
    for number, child in enumerate(("x", "y")):
        waiting.add(mine, number, child, seq=0)
    waiting.add(other, 1, "x", seq=0)
    waiting.drop(mine)
    waiting.ended("x", "succeed", None, None)

    assert (mine.answered, other.answered) == ([], [1])
    assert waiting.is_awaited("y") is False


def test_refused_waits_of_an_attempt_give_it_its_slot_once(bench: Bench, waiting: Waiting) -> None:
    waiters = [waiting.add(bench.worker, number, child, seq=7) for number, child in enumerate(("x", "y"))]
    waiting.refuse(waiters, lambda waiter: WaitRefused(f"no {waiter.id}", mend="go"))

    assert bench.granted == 0
    assert bench.worker.sent == [
        Failure(number, "WaitRefused", f"no {id}", None, "go") for number, id in enumerate(("x", "y"))
    ]
