"""What `defer doctor` tells of retention, and which limits it and `defer run` refuse."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from defer_cli.domain.retention import Round
from tests.acceptance.command import defer, living
from tests.acceptance.storing import stored
from tests.store.harness import apply, call, insert, limits, start, succeed

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]
MINUTE = 60_000_000


def told(project: Path, **environment: str) -> list[str]:
    """Return what the doctor says of retention, the level first."""
    answer = defer(project, "doctor", "--json", env=environment)
    return [
        f"{one['level']}: {one['message']}" for one in json.loads(answer.out)["checks"] if one["check"] == "retention"
    ]


def ended(project: Path, count: int, made: Round | None = None) -> None:
    with stored(project) as store:
        insert(store, *(call("greet", arguments=b'[["Ada"],{}]') for _ in range(count)))
        apply(store, *(succeed(one, result=b"1") for one in start(store, limits("greet"), limit=count)))
        if made is not None:
            with store.transaction():
                store.keep_round(made)


def now_us(project: Path) -> int:
    with stored(project) as store:
        return store.now()


def test_a_new_project_is_told_the_limits(project: Path) -> None:
    assert told(project) == ["ok: executions for 30d, at most 1,000,000; logs for 7d"]


def test_how_many_are_kept_and_too_many_and_when_the_first_look_comes(project: Path) -> None:
    ended(project, 3)

    assert told(project, DEFER_RETENTION_MOST="2") == [
        "ok: executions for 30d, at most 2; logs for 7d; 3 finished executions kept, 1 over the maximum",
        "ok: nothing was deleted yet; the first look is a minute after a runner starts",
    ]


def test_what_the_last_look_deleted_and_when_the_next_is_due(project: Path) -> None:
    now = now_us(project)
    made = Round(began_us=now - 10 * MINUTE, ended_us=now, next_us=now + 60 * MINUTE, executions=7, logs=1)
    ended(project, 1, made)
    words = r"ok: the look 10m( \d+s)? ago deleted 7 executions and 1 log; the next is"
    assert re.fullmatch(rf"{words} a minute after a runner starts", told(project)[1])
    with living(project, "run", ready='message="runner ready"'):
        assert re.fullmatch(rf"{words} due in 59m( \d+s)?", told(project)[1])


def test_a_look_that_was_broken_off_is_told(project: Path) -> None:
    ended(project, 1, Round(began_us=now_us(project) - 10 * MINUTE, executions=64))
    assert re.fullmatch(r"ok: what was begun 10m( \d+s)? ago goes on when a runner starts", told(project)[1])


def test_without_limits_no_look_is_promised(project: Path) -> None:
    ended(project, 1)
    off = {f"DEFER_RETENTION_{name}": "off" for name in ("EXECUTIONS", "MOST", "LOGS")}

    assert told(project, **off) == ["ok: executions for ever; logs for ever; 1 finished execution kept"]


def test_a_limit_that_is_wrong_is_told_with_its_mend_and_no_runner_starts(project: Path) -> None:
    with (project / "pyproject.toml").open("a") as file:
        file.write("\n[tool.defer.retention]\nexecution = '30 days'\n")
    refused = defer(project, "run", "--burst")

    assert told(project)[0].startswith("problem: ")
    assert "there is no such setting" in told(project)[0]
    assert refused.code == 3
    assert "did you mean executions?" in refused.err
