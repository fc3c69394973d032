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
Start = Callable[[Client, random.Random], str]
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


def is_won(done: Round) -> bool:
    return not done.answer.startswith("refused")


class Lane:
    """Calls, and cancels or aborts at random offsets, always near the moment at which either might win."""

    def __init__(self, runner: Runner, start: Start, is_early: Callable[[Round], bool], seed: int) -> None:
        self._runner = runner
        self._start = start
        self._is_early = is_early
        self._dice = random.Random(seed)
        self._offset = 0.01

    def race(self, rounds: int) -> dict[str, Round]:
        with (
            self._runner.client() as caller,
            self._runner.client() as canceller,
            self._runner.client() as waiter,
            ThreadPoolExecutor(1) as pool,
        ):
            return dict(self._round(caller, canceller, waiter, pool) for _ in range(rounds))

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
        self._offset = max(self._offset + (_STEP_SECONDS if self._is_early(done) else -_STEP_SECONDS), 0)
        return id, done


def races(
    project: Project,
    start: Start,
    *,
    seed: int,
    is_early: Callable[[Round], bool] = is_won,
    rounds: int = ROUNDS,
    lanes: int = LANES,
) -> list[tuple[Round, Execution]]:
    """Run all rounds; return each with its execution, once the books are found in order."""
    with project.run("--workers", "2") as runner, ThreadPoolExecutor(lanes) as pool:
        callers = [Lane(runner, start, is_early, seed * LANES + number) for number in range(lanes)]
        told = {
            id: done for some in pool.map(lambda one: one.race(rounds // lanes), callers) for id, done in some.items()
        }
        assert runner.stop() == 0
    executions = audit(project, told)
    print(f"{len(told):,} rounds: {dict(Counter(done.answer for done in told.values()))}")
    return [(done, executions[id]) for id, done in told.items()]


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


def test_an_abort_and_the_death_of_its_process(project: Project) -> None:
    project.write(
        deadly=MINE
        + """
    @defer
    async def deadly(seconds):
        note("began", mine())
        if current_execution().attempt == 1:
            await asyncio.sleep(seconds)
            os.kill(os.getpid(), signal.SIGKILL)
        note("done", mine())
        """
    )

    def start(caller: Client, dice: random.Random) -> str:
        begun = len(project.noted("began"))
        id = caller.call("deadly", dice.uniform(0, 0.012))
        project.until_noted("began", begun + 1)  # the last death may have left no worker
        return id

    def is_early(done: Round) -> bool:
        return done.answer in {"aborting", "refused: started"}

    raced = races(project, start, seed=4, rounds=ROUNDS // 5, lanes=1, is_early=is_early)

    assert untrue(raced) == []
    assert {found.charged for _, found in raced} == {0}
    assert {"aborted", "succeed"} <= {str(found.state) for _, found in raced}
