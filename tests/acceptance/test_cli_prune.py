"""`defer prune`: old executions that have ended are deleted, all others stay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.command import defer, living
from tests.acceptance.storing import answered, states, stored
from tests.store.harness import apply, call, insert, limits, start, succeed

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]


def ended(project: Path, count: int) -> None:
    """Store executions that succeeded on the first day of 2026."""
    with stored(project) as store:
        for _ in range(0, count, 1_000):
            insert(store, *(call("greet", arguments=b'[["Ada"],{}]') for _ in range(min(count, 1_000))))
            apply(store, *(succeed(one, result=b"1") for one in start(store, limits("greet"), limit=1_000)))


def test_what_ended_long_ago_is_deleted_and_what_waits_or_is_young_stays(project: Path) -> None:
    ended(project, 3)
    waiting = defer(project, "trigger", "greet", "Ada", "--delay", "1h").out.strip()
    young = defer(project, "trigger", "greet", "Ada").out.strip()
    assert defer(project, "run", "--burst").code == 0
    answer = defer(project, "prune", "--older-than", "1d")

    assert (answer.code, answer.out, answer.err) == (0, "3 executions deleted\n", "")
    assert states(project) == {young: "succeed", waiting: "created"}


def test_many_are_deleted_in_steps_beside_a_runner_that_goes_on(project: Path) -> None:
    ended(project, 4_000)
    with living(project, "run", ready='message="runner ready"'):
        answer = defer(project, "prune", "--older-than", "1d", "--json")
        waited = defer(project, "trigger", "greet", "Ada", "--wait", "--timeout", "60")

    assert (answer.code, answer.err) == (0, "")
    assert (json.loads(answer.out)["deleted"], json.loads(answer.out)["is_complete"]) == (4_000, True)
    assert waited.code == 0
    assert len(states(project)) == 1


def test_where_nothing_was_stored_nothing_is_deleted_and_nothing_made(project: Path) -> None:
    answer = defer(project, "prune", "--older-than", "30d")

    assert (answer.code, answer.out) == (0, "0 executions deleted\n")
    assert not (project / ".defer").exists()


@pytest.mark.parametrize(("answer", "code", "left"), [("n\n", 1, 2), ("y\n", 0, 0)])
def test_on_a_terminal_it_asks_once(answer: str, code: int, left: int, project: Path) -> None:
    ended(project, 2)
    told = answered(project, ["prune", "--older-than", "1d"], answer)

    assert told.code == code
    assert told.out.count("delete every execution that finished before ") == 1
    assert len(states(project)) == left


def test_with_yes_it_does_not_ask(project: Path) -> None:
    ended(project, 2)
    told = answered(project, ["prune", "--older-than", "1d", "--yes"])

    assert told.code == 0
    assert "?" not in told.out
    assert "2 executions deleted" in told.out
    assert states(project) == {}
