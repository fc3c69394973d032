"""Somebody wants an execution to end while it begins, ends or is tried again: one wins, and all are told the truth."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from defer_cli.domain.execution import Execution
from tests.process.books import MINE, audit
from tests.process.harness import Client, Project, Runner

ROUNDS = int(os.environ.get("RACE_ROUNDS", "100"))
"""Rounds of each race; one takes some 40 ms."""
LANES = 4
"""Callers that race at the same time, so that their requests share commits."""
_STEP_SECONDS, _JITTER_SECONDS = 0.001, 0.004

pytestmark = [pytest.mark.process, pytest.mark.timeout(120 + ROUNDS // 2)]


@dataclass(frozen=True)
class Round:
    """What the canceller was told, and what who waited for the end was."""

    is_forced: bool
    answer: str
    """The state it was brought to, or `refused: ` and the state that forbade it."""
    attempt: int
    """How often it had been started when it was brought to that state."""
    end: str

    @property
    def is_won(self) -> bool:
        return not self.answer.startswith("refused")


class Lane:
    """Calls, and cancels or aborts at random offsets, always near the moment at which either might win."""

    def __init__(self, runner: Runner, start: Callable[[Client, random.Random], str], seed: int) -> None:
        self._runner = runner
        self._start = start
        self._dice = random.Random(seed)
        self._offset = 0.01

    def race(self) -> dict[str, Round]:
        with (
            self._runner.client() as caller,
            self._runner.client() as canceller,
            self._runner.client() as waiter,
            ThreadPoolExecutor(1) as pool,
        ):
            return dict(self._round(caller, canceller, waiter, pool) for _ in range(ROUNDS // LANES))

    def _round(self, caller: Client, canceller: Client, waiter: Client, pool: ThreadPoolExecutor) -> tuple[str, Round]:
        id = self._start(caller, self._dice)
        end = pool.submit(waiter.wait, id)
        time.sleep(max(self._offset + self._dice.uniform(-_JITTER_SECONDS, _JITTER_SECONDS), 0))
        is_forced = self._dice.random() < 0.5
        (answer,) = canceller.ask("cancel", ids=[id], is_forced=is_forced)
        if answer["refusal"] is None:
            state, attempt = answer["execution"]["state"], answer["execution"]["attempt"]
        else:
            state, attempt = f"refused: {answer['refusal']['state']}", 0
        done = Round(is_forced, state, attempt, end.result())
        self._offset = max(self._offset + (_STEP_SECONDS if done.is_won else -_STEP_SECONDS), 0)
        return id, done


def races(
    project: Project, start: Callable[[Client, random.Random], str], *, seed: int
) -> list[tuple[Round, Execution]]:
    """Run all rounds; return each with its execution, once the books are found in order."""
    with project.run("--workers", "2") as runner, ThreadPoolExecutor(LANES) as pool:
        lanes = [Lane(runner, start, seed * LANES + number) for number in range(LANES)]
        rounds = {id: done for some in pool.map(Lane.race, lanes) for id, done in some.items()}
        assert runner.stop() == 0
    executions = audit(project, rounds)
    print(f"{len(rounds):,} rounds: {dict(Counter(done.answer for done in rounds.values()))}")
    return [(done, executions[id]) for id, done in rounds.items()]


def untrue(raced: list[tuple[Round, Execution]]) -> list[tuple[Round, Execution]]:
    """Return the rounds in which somebody was told what the books do not say."""
    return [(done, found) for done, found in raced if done.end != found.state or not _is_true(done, found)]


def _is_true(done: Round, found: Execution) -> bool:
    match done.answer:
        case "cancelled":  # the audit has seen that nothing began which is not an attempt on record
            return (found.state, found.attempt) == ("cancelled", done.attempt)
        case "aborting":
            return done.is_forced and (found.state, found.attempt) == ("aborted", done.attempt)
        case "refused: started":
            return not done.is_forced and found.state == "succeed"
        case "refused: succeed":
            return found.state == "succeed"
    return False


def test_a_cancel_and_the_claim(project: Project) -> None:
    project.write(
        quick=MINE
        + """
    @defer
    async def quick():
        note("began", mine())
        note("done", mine())
        """
    )

    def start(caller: Client, dice: random.Random) -> str:
        due_us = time.time_ns() // 1_000 + dice.randrange(12_000)
        return caller.call("quick", scheduled_us=due_us)

    raced = races(project, start, seed=1)

    assert untrue(raced) == []
    assert {done.attempt for done, _ in raced if done.answer == "cancelled"} == {0}
    assert any(found.state == "succeed" for _, found in raced)


def test_an_abort_and_the_finish(project: Project) -> None:
    project.write(
        brief=MINE
        + """
    @defer
    async def brief(seconds):
        note("began", mine())
        await asyncio.sleep(seconds)
        note("done", mine())
        """
    )

    raced = races(project, lambda caller, dice: caller.call("brief", dice.uniform(0, 0.012)), seed=2)

    assert untrue(raced) == []
    assert {"aborting", "refused: succeed"} <= {done.answer for done, _ in raced}


def test_a_cancel_and_the_timer_of_a_retry(project: Project) -> None:
    project.write(
        again=MINE
        + """
    @defer(retry={"max_attempts": 1, "initial_interval": 0.012, "randomization_factor": 0.5})
    async def again():
        note("began", mine())
        if current_execution().attempt == 1:
            raise ValueError("the first time")
        note("done", mine())
        """
    )

    raced = races(project, lambda caller, dice: caller.call("again"), seed=3)

    assert untrue(raced) == []
    assert {done.attempt for done, _ in raced if done.answer == "cancelled"} >= {1}
    assert any(found.state == "succeed" for _, found in raced)
