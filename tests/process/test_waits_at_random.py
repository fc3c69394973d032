"""Functions that call each other at random, with small limits and few slots: all of them end, whatever they wait for.

``DEFER_TEST_SEED`` sets where the dice begin, ``DEFER_TEST_PLANS`` how many plans are followed at once.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from defer_cli.domain.states import State
from tests.process.harness import Client, Project, until
from tests.process.test_waits_under_load import Overlaps
from tests.store.harness import newest

pytestmark = pytest.mark.process

SEED = int(os.environ.get("DEFER_TEST_SEED", "1"))
PLANS = int(os.environ.get("DEFER_TEST_PLANS", "40"))
LIMITS = {"free": None, "single": 1, "pair": 2, "other": 1}
MODES = ("gather", "gather", "each", "first", "cut", "shared")
MOST_DEEP = 3
ERRORS = {"defer_cli.domain.errors.WaitRefused", "defer_cli.domain.errors.ExecutionFailed"}

FOLLOW = '''
import asyncio, importlib, os

from defer_cli import await_result, assign_options
from notes import note

async def follow(name, plan):
    """Do as the plan says, and note what a slot is held for."""
    note("log", f"{os.getpid()} {name} begins")
    try:
        if plan["steps"]:
            calls = [ask(step, plan["mode"]) for step in plan["steps"]]
            note("log", f"{os.getpid()} {name} waits")
            try:
                await MODES[plan["mode"]](calls)
            finally:
                note("log", f"{os.getpid()} {name} goes")
        await asyncio.sleep(plan["work"])
    finally:
        note("log", f"{os.getpid()} {name} ends")

def ask(step, mode):
    function = getattr(importlib.import_module(f"defer.{step['function']}"), step["function"])
    if mode == "shared":  # several wait for one execution
        function = assign_options(function, key=step["key"])
        step = step | {"plan": {"steps": [], "work": 0.001}}
    return await_result(function)(step["plan"])

async def gather(calls):
    await asyncio.gather(*calls)

async def each(calls):
    for call in calls:
        await call

async def first(calls):
    tasks = [asyncio.ensure_future(call) for call in calls]
    done, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()
    for task in done:
        task.result()

async def cut(calls):
    for call in calls:
        try:
            await asyncio.wait_for(call, 0.02)
        except TimeoutError:
            await call

MODES = {"gather": gather, "each": each, "first": first, "cut": cut, "shared": gather}
'''


def plan(dice: Random, depth: int) -> dict[str, Any]:
    steps = []
    if depth < MOST_DEEP:
        for _ in range(dice.choice([0, 1, 2, 3]) if depth else dice.choice([2, 3])):
            function = dice.choice(list(LIMITS))
            steps.append({"function": function, "key": f"k{dice.randint(1, 5)}", "plan": plan(dice, depth + 1)})
    return {"steps": steps, "mode": dice.choice(MODES), "work": dice.choice([0, 0, 0.001, 0.02])}


@pytest.fixture
def dice(project: Project) -> Random:
    """Return the dice of a project in which the functions lie."""
    (project.root / "src" / "plans.py").write_text(FOLLOW)
    for name, limit in LIMITS.items():
        project.write(
            **{
                name: f"""
                    from plans import follow
                    @defer(concurrency={limit}, retry=False, max_duration="10 min")
                    async def {name}(plan):
                        await follow("{name}", plan)
                """
            }
        )
    return Random(SEED)


def call_at_random(client: Client, dice: Random) -> None:
    for _ in range(PLANS):
        client.call(dice.choice(list(LIMITS)), plan(dice, 0))


def until_all_have_ended(project: Project) -> None:
    until(lambda: project.in_state(State.CREATED, State.STARTED) == 0, f"all ended, seed {SEED}", seconds=60 + PLANS)


def errors_of(project: Project) -> Counter[str]:
    """Return how many failed with which error; whatever has ended otherwise has succeeded."""
    with project.reader() as reader:
        executions = newest(reader, limit=10_000)
    assert {execution.state for execution in executions} <= {State.SUCCEED, State.FAILED}
    errors = Counter(project.error(one.id)["type"] for one in executions if one.state is State.FAILED)
    print(f"seed {SEED}: of {len(executions)} executions have failed {dict(errors)}")
    return errors


def test_functions_that_call_each_other_at_random_all_end(project: Project, dice: Random) -> None:
    with project.run("--workers", "2", "--slots", "2") as runner, runner.client() as client:
        call_at_random(client, dice)
        until_all_have_ended(project)
    most = Overlaps(project.noted("log")).of_functions
    print(f"at most {dict(most)} at once")

    assert set(errors_of(project)) <= ERRORS
    assert all(most[name] <= limit for name, limit in LIMITS.items() if limit)


def test_they_end_too_when_workers_are_killed_under_them(project: Project, dice: Random) -> None:
    with project.run("--workers", "2", "--slots", "2") as runner, runner.client() as client:
        call_at_random(client, dice)
        for count in (40, 80, 120):
            project.until_noted("log", count)
            with suppress(ProcessLookupError):  # the one before may still be in the list
                os.kill(runner.worker_pids()[0], signal.SIGKILL)
        until_all_have_ended(project)

    assert set(errors_of(project)) <= ERRORS | {"ProcessDied"}
