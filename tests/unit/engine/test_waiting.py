"""Who waits is answered once, and an attempt that waits gives its slot back meanwhile."""

from __future__ import annotations

import json
from typing import Any

import pytest

from defer_cli.domain.execution import ExecutionError
from defer_cli.domain.settle import Move
from defer_cli.domain.states import State
from defer_cli.engine.waiting import Reply, Waiting


class Slots:
    def __init__(self) -> None:
        self.given: list[int] = []
        self.taken: list[int] = []

    def give_back(self, seq: int) -> bool:
        self.given.append(seq)
        return True


@pytest.fixture
def slots() -> Slots:
    return Slots()


@pytest.fixture
def waiting(slots: Slots) -> Waiting:
    return Waiting(slots.give_back, slots.taken.append)


class Answers:
    """Collects replies by name."""

    def __init__(self) -> None:
        self.got: list[tuple[Any, ...]] = []

    def to(self, name: str) -> Reply:
        return lambda *ended: self.got.append((name, *ended))


def test_everybody_who_waits_is_answered(waiting: Waiting) -> None:
    answers = Answers()
    waiting.add("x", answers.to("a"), seq=0)
    waiting.add("x", answers.to("b"), seq=0)
    waiting.ended("x", "succeed", b"1", None)

    assert answers.got == [("a", "succeed", b"1", None), ("b", "succeed", b"1", None)]
    assert waiting.is_awaited("x") is False


def test_an_answer_is_given_once(waiting: Waiting) -> None:
    answers = Answers()
    waiting.add("x", answers.to("a"), seq=0)
    for _ in range(2):
        waiting.ended("x", "succeed", None, None)

    assert len(answers.got) == 1


def test_a_caller_outside_gives_no_slot_back(waiting: Waiting, slots: Slots) -> None:
    waiting.add("x", Answers().to("a"), seq=0)
    waiting.ended("x", "succeed", None, None)

    assert (slots.given, slots.taken) == ([], [])


def test_an_attempt_gives_its_slot_back_until_the_last_wait_is_over(waiting: Waiting, slots: Slots) -> None:
    for child in ("x", "y"):
        waiting.add(child, Answers().to(child), seq=7)
    waiting.ended("x", "succeed", None, None)
    before = list(slots.taken)
    waiting.ended("y", "succeed", None, None)

    assert set(slots.given) == {7}
    assert (before, slots.taken) == ([], [7])


def test_a_failure_travels_as_json(waiting: Waiting) -> None:
    answers = Answers()
    waiting.add("x", answers.to("a"), seq=0)
    error = ExecutionError(code="ER0003", type="ValueError", message="no")
    waiting.settled(Move("fail", 1, "x", 1, State.STARTED, State.FAILED, "f", 0, error=error))
    ((_, state, result, sent),) = answers.got

    assert (state, result) == ("failed", None)
    assert json.loads(sent)["message"] == "no"


def test_an_attempt_that_has_ended_waits_for_nothing(waiting: Waiting, slots: Slots) -> None:
    answers = Answers()
    waiting.add("x", answers.to("mine"), seq=7)
    waiting.add("x", answers.to("another's"), seq=8)
    waiting.forget(7)
    waiting.ended("x", "succeed", None, None)

    assert [name for name, *_ in answers.got] == ["another's"]
    assert slots.taken == [8]


def test_a_dropped_wait_takes_its_slot_again(waiting: Waiting, slots: Slots) -> None:
    answers = Answers()
    mine = answers.to("mine")
    waiting.add("x", mine, seq=7)
    waiting.drop({mine})

    assert slots.taken == [7]
    assert waiting.is_awaited("x") is False


def test_a_dropped_wait_leaves_the_others(waiting: Waiting) -> None:
    answers = Answers()
    mine = answers.to("mine")
    waiting.add("x", mine, seq=0)
    waiting.add("x", answers.to("another's"), seq=0)
    waiting.drop({mine})
    waiting.ended("x", "succeed", None, None)

    assert [name for name, *_ in answers.got] == ["another's"]
