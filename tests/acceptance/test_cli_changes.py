"""`defer cancel`, `defer reschedule`, `defer rerun`: what they print, what they refuse, what they ask first."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from defer_cli.domain.states import State
from defer_cli.store.sqlite.reader import open_reader
from tests.acceptance.command import DEFER, defer, environment, living, write_function
from tests.acceptance.storing import answered, states, stored
from tests.store.harness import call, ids, insert, limits, start

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]
READY = 'message="runner ready"'
FAR_US = 4_000_000_000_000_000
"""In the year 2096: no runner starts it."""


def enqueued(project: Path, count: int, function: str = "greet", **fields: Any) -> list[str]:
    """Store executions that no runner starts, and return their ids, oldest first."""
    calls = [call(function, arguments=b'[["Ada"],{}]', scheduled_us=FAR_US, **fields) for _ in range(count)]
    with stored(project) as store:
        for first in range(0, count, 1_000):
            insert(store, *calls[first : first + 1_000])
    return ids(calls)


def test_a_cancel_prints_what_it_cancelled_and_refuses_it_the_second_time(project: Path) -> None:
    first, second = enqueued(project, 2)
    done = defer(project, "cancel", first)
    again = defer(project, "cancel", first, second)

    assert (done.code, done.out, done.err) == (0, f"{first}\n", "")
    assert (again.code, again.out) == (1, f"{second}\n")
    assert f"error: cannot cancel execution in cancelled state\n  where: {first}\n" in again.err
    assert again.err.endswith("1 execution cancelled, 1 refused\n")


def test_an_id_that_is_not_there_exits_4_and_the_others_are_done(project: Path) -> None:
    (id,) = enqueued(project, 1)
    answer = defer(project, "cancel", "nope", id, id)

    assert (answer.code, answer.out) == (4, f"{id}\n")
    assert "error: no execution has the id 'nope'" in answer.err


@pytest.mark.parametrize("command", ["cancel", "reschedule", "rerun"])
def test_where_nothing_was_ever_stored_no_id_is_there_and_nothing_is_made(command: str, project: Path) -> None:
    answer = defer(project, command, "nope")

    assert (answer.code, answer.out) == (4, "")
    assert "nothing was ever stored in" in answer.err
    assert defer(project, command, "--all").code == 0
    assert not (project / ".defer").exists()


def test_changes_and_refusals_are_one_document(project: Path) -> None:
    (id,) = enqueued(project, 1)
    answer = defer(project, "rerun", id, "nope", "--json")
    told = json.loads(answer.out)

    assert answer.code == 4
    assert [(one["rerun_of"], one["state"], one["came_from"]) for one in told["changed"]] == [(id, "created", "rerun")]
    assert [(one["id"], one["kind"]) for one in told["refused"]] == [("nope", "ExecutionNotFound")]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["cancel"], "which executions to cancel?"),
        (["cancel", "x", "--all"], "--all and ids are both given"),
        (["cancel", "--state", "created"], "--state narrows --all"),
        (["cancel", "--all", "--state", "succeed"], "executions in succeed state cannot be cancelled"),
        (["cancel", "--all", "--state", "started"], "with --force also started"),
        (["reschedule", "--all", "--state", "failed"], "executions in failed state cannot be rescheduled"),
        (["rerun", "--all", "--state", "faild"], "did you mean 'failed'?"),
        (["rerun", "--all", "--function", "gret"], "did you mean 'greet'?"),
        (["cancel", "--al"], "did you mean --all?"),
        (["reschedule", "x", "soon"], "'soon' is no time"),
        (["reschedule", "x", "1h", "ago"], "'1h ago' is before now"),
        (["reschedule", "x", "2h", "01m8aqqqrje3htm16wshz4m2bt"], "an id behind the time"),
        (["prune"], "missing option '--older-than'"),
        (["prune", "--older-than", "30"], "'30' has no unit"),
        (["prune", "--older-than", "a while"], "'a while' is not a duration"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_line_exits_2_and_changes_nothing(words: list[str], complaint: str, project: Path) -> None:
    answer = defer(project, *words)

    assert (answer.code, answer.out) == (2, "")
    assert complaint in answer.err
    assert not (project / ".defer").exists()


def test_all_of_them_needs_a_yes_where_nobody_can_be_asked(project: Path) -> None:
    known = enqueued(project, 3)
    refused = defer(project, "cancel", "--all")

    assert (refused.code, refused.out) == (2, "")
    assert "this would cancel 3 executions" in refused.err
    assert states(project) == dict.fromkeys(known, "created")


@pytest.mark.parametrize(
    ("answer", "code", "state"), [("y\n", 0, "cancelled"), ("n\n", 1, "created"), ("\x04", 130, "created")]
)
def test_on_a_terminal_it_asks_once_and_says_how_many(answer: str, code: int, state: str, project: Path) -> None:
    known = enqueued(project, 3)
    told = answered(project, ["cancel", "--all", "--function", "greet"], answer)

    assert told.code == code
    assert told.out.count("cancel 3 executions (--function greet)? [y/N]") == 1
    assert states(project) == dict.fromkeys(known, state)


def test_all_of_them_are_those_that_pass_the_filters_oldest_first(project: Path) -> None:
    greets = enqueued(project, 2, metadata={"user": "1"})
    others = [*enqueued(project, 1, metadata={"user": "2"}), *enqueued(project, 1, "broken", metadata={"user": "1"})]
    answer = defer(project, "cancel", "--all", "--yes", "--function", "greet", "--metadata", "user=1")
    found = states(project)

    assert (answer.code, answer.out.split()) == (0, greets)
    assert [found[id] for id in others] == ["created", "created"]


def test_many_are_rerun_in_steps_in_their_order_and_never_their_own_reruns(project: Path) -> None:
    known = enqueued(project, 600)
    answer = defer(project, "rerun", "--all", "-y")
    pairs = [line.split(" rerun of ") for line in answer.out.splitlines()]

    assert answer.code == 0
    assert [old for _, old in pairs] == known
    assert len({new for new, _ in pairs} | set(known)) == 1_200
    assert [id for id in reversed(states(project)) if id not in known] == [new for new, _ in pairs]


def test_a_rerun_runs_with_the_arguments_of_the_first(project: Path) -> None:
    id = defer(project, "trigger", "greet", "Ada", "2").out.strip()
    assert defer(project, "run", "--burst").code == 0
    new_id = defer(project, "rerun", id).out.split()[0]
    burst = defer(project, "run", "--burst")

    assert f"id={new_id}" in burst.out
    assert f"id={id}" not in burst.out


def test_a_reschedule_says_when_and_that_discard_after_beats_it(project: Path) -> None:
    discarded = defer(project, "trigger", "greet", "Ada", "--delay", "1h", "--discard-after", "2h").out.strip()
    kept = defer(project, "trigger", "greet", "Ada", "--delay", "1h").out.strip()
    answer = defer(project, "reschedule", discarded, kept, "in", "3", "h")

    assert (answer.code, answer.out) == (0, f"{discarded}\n{kept}\n")
    assert answer.err.count("before it is due") == 1
    assert f"  where: execution {discarded}\n" in answer.err
    assert answer.err.endswith(", in 3h\n")


def test_a_moment_without_a_zone_is_utc_everywhere(project: Path) -> None:
    id = defer(project, "trigger", "greet", "Ada", "--delay", "2090-01-01T08:00").out.strip()
    first = defer(project, "executions", "--json", "--since", "2090-01-01T08:00", "--until", "2090-01-01T08:00")
    defer(project, "reschedule", id, "2091-01-01T10:00+02:00")
    (moved,) = json.loads(defer(project, "executions", "--json").out)["items"]

    assert [one["id"] for one in json.loads(first.out)["items"]] == [id]
    assert moved["scheduled_at"] == "2091-01-01T08:00:00Z"


def test_a_living_runner_starts_what_is_rescheduled_to_now(project: Path) -> None:
    with living(project, "run", ready=READY) as runner:
        id = defer(project, "trigger", "greet", "Ada", "--delay", "1h").out.strip()
        answer = defer(project, "reschedule", id)

        assert (answer.code, answer.out, answer.err) == (0, f"{id}\n", "due now\n")
        runner.line_with(f'message="execution succeeded" function=greet id={id}')


def test_what_runs_is_cancelled_by_force_only_and_its_finally_runs(project: Path) -> None:
    write_function(
        project,
        "slow",
        "@defer\nasync def slow() -> None:\n    print('began', flush=True)\n"
        "    try:\n        await asyncio.sleep(600)\n    finally:\n        print('cleaned up')\n",
    )
    with living(project, "run", ready=READY) as runner:
        id = defer(project, "trigger", "slow").out.strip()
        with living(project, "logs", id, "-f", ready="began"):
            refused = defer(project, "cancel", id)
            forced = defer(project, "cancel", id, "--force")
            runner.line_with(f"id={id}")

    assert refused.code == 1
    assert "cannot cancel execution in started state" in refused.err
    assert (forced.code, forced.out) == (0, f"{id}\n")
    assert "being aborted" in forced.err
    assert states(project)[id] == "aborted"
    assert "cleaned up" in defer(project, "logs", id).out


def test_without_a_runner_what_it_left_is_marked_and_aborted_by_the_next_one(project: Path) -> None:
    with stored(project) as store:
        insert(store, call("greet", arguments=b'[["Ada"],{}]'))
        (running,) = start(store, limits("greet"))
    forced = defer(project, "cancel", running.id, "--force")

    assert (forced.code, forced.out) == (0, f"{running.id}\n")
    assert "no runner is alive, the next one does it when it starts" in forced.err
    assert states(project) == {running.id: "aborting"}
    assert defer(project, "run", "--burst").code == 0
    assert states(project) == {running.id: "aborted"}


@contextmanager
def cancelling_all(project: Path) -> Iterator[subprocess.Popen[str]]:
    """Cancel everything in a process of its own; its first line is left to be read."""
    with subprocess.Popen(
        [*DEFER, "cancel", "--all", "--yes"],
        cwd=project,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


def rest_of(process: subprocess.Popen[str]) -> tuple[list[str], str]:
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdout.read().split(), process.stderr.read()


def test_a_runner_that_is_killed_in_the_middle_does_not_break_off_a_long_cancel(project: Path) -> None:
    known = enqueued(project, 8_000)
    with living(project, "run", ready=READY) as runner, cancelling_all(project) as process:
        assert process.stdout is not None
        first = process.stdout.readline().strip()
        runner.process.send_signal(signal.SIGKILL)
        rest, told = rest_of(process)

    assert (process.returncode, told) == (0, "8,000 executions cancelled\n")
    assert [first, *rest] == known
    assert set(states(project).values()) == {"cancelled"}


def test_a_runner_can_start_while_a_command_changes_many(project: Path) -> None:
    known = enqueued(project, 8_000)
    with cancelling_all(project) as process:
        assert process.stdout is not None
        first = process.stdout.readline().strip()
        with living(project, "run", ready=READY):
            rest, told = rest_of(process)

    assert (process.returncode, told) == (0, "8,000 executions cancelled\n")
    assert [first, *rest] == known


def test_ctrl_c_in_the_middle_says_how_many_were_done(project: Path) -> None:
    enqueued(project, 40_000)  # it holds the store for half a second before it says anything
    with cancelling_all(project) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, told = rest_of(process)
    done = 1 + len(rest)

    assert process.returncode == 130
    assert told == f"interrupted: {done:,} of 40,000 cancelled, the others are as they were\n"
    reader = open_reader(project / ".defer" / "defer.db")
    assert reader.counts()["greet", State.CANCELLED] == done
    reader.close()
