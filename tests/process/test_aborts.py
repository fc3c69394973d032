"""A forced cancel ends what runs, with its process if it does not follow; bystanders lose nothing."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from defer_cli.domain.states import State
from tests.process.harness import Client, Project

pytestmark = pytest.mark.process

COUNT = int(os.environ.get("ABORTS", "20"))
"""How many are aborted at once; the bar of 1 s and of 7 s is for 100."""
POLITE = """
    @defer
    async def polite(number=0):
        note("began", number)
        try:
            await asyncio.sleep(600)
        finally:
            note("finally", number)
"""
STUBBORN = """
    @defer
    async def stubborn(number=0):
        note("began", number)
        while True:
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                note("swallowed", number)
"""
BYSTANDER = """
    @defer(retry=False)
    async def bystander(number):
        note("bystander", number)
        await until_noted("go")
        note("done", number)
"""


def abort(client: Client, *ids: str) -> list[dict[str, Any]]:
    """Force the end of executions; return the answers."""
    answers: list[dict[str, Any]] = client.ask("cancel", ids=list(ids), is_forced=True)
    return answers


def start(project: Project, client: Client, function: str, count: int, *, noted: str = "began") -> list[str]:
    """Start executions; return their ids once all have begun."""
    ids = client.calls(function, [[number] for number in range(count)])
    project.until_noted(noted, count)
    return ids


def aborted_within(client: Client, ids: list[str]) -> float:
    """Abort executions and wait for the end of all; return how many seconds that took."""
    began = time.monotonic()
    answers = abort(client, *ids)
    ends = [client.wait(id) for id in ids]
    took = time.monotonic() - began

    assert [answer["execution"]["state"] for answer in answers] == ["aborting"] * len(ids)
    assert ends == ["aborted"] * len(ids)
    return took


def test_those_that_can_be_asked_end_at_once_and_clean_up(project: Project) -> None:
    project.write(polite=POLITE, bystander=BYSTANDER)
    with project.run("--workers", "2") as runner, runner.client() as client:
        bystanders = start(project, client, "bystander", 10, noted="bystander")
        pids = runner.worker_pids()
        ids = start(project, client, "polite", COUNT)
        took = aborted_within(client, ids)
        project.note("go")
        ends = [client.wait(id) for id in bystanders]
        after = runner.worker_pids()

    print(f"{COUNT} that follow were aborted in {took:.3f} s (bar: 1 s for 100)")
    assert sorted(map(int, project.noted("finally"))) == list(range(COUNT))
    assert (ends, after) == (["succeed"] * 10, pids)
    assert {(one.charged, one.attempt) for one in map(project.get, bystanders)} == {(0, 1)}
    assert project.counts() == {("polite", State.ABORTED): COUNT, ("bystander", State.SUCCEED): 10}


@pytest.mark.slow
def test_those_that_do_not_listen_are_killed_and_bystanders_run_again_uncharged(project: Project) -> None:
    project.write(stubborn=STUBBORN, bystander=BYSTANDER)
    with project.run("--workers", "2") as runner, runner.client() as client:
        bystanders = start(project, client, "bystander", 10, noted="bystander")
        ids = start(project, client, "stubborn", COUNT)
        took = aborted_within(client, ids)
        project.note("go")
        ends = [client.wait(id) for id in bystanders]

    print(f"{COUNT} that do not were aborted in {took:.3f} s (bar: 7 s for 100)")
    assert len(project.noted("swallowed")) == COUNT  # each was asked once
    assert ends == ["succeed"] * 10
    assert {one.charged for one in map(project.get, bystanders)} == {0}
    for id in bystanders:
        *before, last = project.outcomes(id)
        assert (set(before), last) == ({"interrupt"}, "succeed")
    assert len(project.noted("done")) == 10
    assert project.counts() == {("stubborn", State.ABORTED): COUNT, ("bystander", State.SUCCEED): 10}
    assert "did not end within 5 s" in runner.output


@pytest.mark.slow
def test_one_that_blocks_its_worker_is_killed(project: Project) -> None:
    project.write(
        blocking="""
            @defer
            async def blocking():
                note("began")
                time.sleep(600)
        """
    )
    with project.run("--workers", "1") as runner, runner.client() as client:
        ids = [client.call("blocking")]
        project.until_noted("began")
        aborted_within(client, ids)


def test_one_that_catches_the_cancel_and_returns_is_aborted_all_the_same(project: Project) -> None:
    project.write(
        returning="""
            @defer
            async def returning():
                note("began")
                try:
                    await asyncio.sleep(600)
                except asyncio.CancelledError:
                    return "all is well"
        """,
        raising="""
            @defer
            async def raising():
                note("began")
                try:
                    await asyncio.sleep(600)
                finally:
                    raise ValueError("would be retried")
        """,
    )
    with project.run("--workers", "1") as runner, runner.client() as client:
        ids = [client.call("returning"), client.call("raising")]
        project.until_noted("began", 2)
        aborted_within(client, ids)
        runner.stop()

    assert [(project.result(id), project.get(id).charged) for id in ids] == [(None, 0)] * 2
    assert [project.outcomes(id) for id in ids] == [["aborted"]] * 2
    for id in ids:
        assert [line.split("message=")[1].split(" function")[0] for line in runner.lines if id in line] == [
            '"execution aborting"',
            '"execution aborted"',
        ]


def test_an_abort_is_refused_for_what_is_being_aborted_or_has_ended(project: Project) -> None:
    project.write(
        slow="""
            @defer
            async def slow():
                note("began")
                try:
                    await asyncio.sleep(600)
                finally:
                    await until_noted("go")
        """
    )
    with project.run("--workers", "1") as runner, runner.client() as client:
        id = client.call("slow")
        project.until_noted("began")
        (first, second) = abort(client, id, id)
        (unforced,) = client.ask("cancel", ids=[id])
        project.note("go")
        client.wait(id)
        (late,) = abort(client, id)

    assert first["execution"]["state"] == "aborting"
    assert [(answer["refusal"]["kind"], answer["refusal"]["state"]) for answer in (second, unforced, late)] == [
        ("ExecutionAbortingAlreadyInProgress", "aborting"),
        ("ExecutionNotCancellable", "aborting"),
        ("ExecutionNotCancellable", "aborted"),
    ]


def test_who_awaits_one_that_is_aborted_is_told(project: Project) -> None:
    project.write(
        polite=POLITE,
        parent="""
            from defer_cli import ExecutionFailed
            from .polite import polite
            @defer
            async def parent():
                call = await_result(polite)()
                note("child", call.id)
                try:
                    await call
                except ExecutionFailed as error:
                    return [error.state, error.execution_id == call.id]
        """,
    )
    with project.run("--workers", "1") as runner, runner.client() as client:
        parent = client.call("parent")
        project.until_noted("began")
        abort(client, *project.noted("child"))
        end = client.wait(parent)

    assert (end, project.result(parent)) == ("succeed", ["aborted", True])


def test_one_that_waits_for_another_is_aborted_alone(project: Project) -> None:
    project.write(
        bystander=BYSTANDER,
        parent="""
            from .bystander import bystander
            @defer
            async def parent():
                try:
                    await await_result(bystander)(1)
                finally:
                    note("finally")
        """,
    )
    with project.run("--workers", "1", "--slots", "1") as runner, runner.client() as client:
        parent = client.call("parent")
        project.until_noted("bystander")
        aborted_within(client, [parent])
        project.note("go")
        (child,) = project.children(parent)
        end = client.wait(child.id)
        again = client.run("bystander", 2)

    assert (end, project.noted("finally")) == ("succeed", [""])
    assert project.get(again).state == State.SUCCEED  # the one slot is there again


def test_one_that_is_being_aborted_keeps_its_place_until_it_has_ended(project: Project) -> None:
    project.write(
        one="""
            @defer(concurrency=1)
            async def one(name):
                note("order", f"{name} began")
                try:
                    if name == "first":
                        note("first")
                        await asyncio.sleep(600)
                finally:
                    if name == "first":
                        await until_noted("go")
                    note("order", f"{name} ended")
        """,
        other="""
            @defer
            async def other():
                return None
        """,
    )
    with project.run("--workers", "1") as runner, runner.client() as client:
        first = client.call("one", "first")
        project.until_noted("first")
        second = client.call("one", "second")
        abort(client, first)
        client.run("other")  # time enough for the second, if anything would let it
        project.note("go")
        ends = [client.wait(first), client.wait(second)]

    assert ends == ["aborted", "succeed"]
    assert project.noted("order") == ["first began", "first ended", "second began", "second ended"]


def test_a_burst_waits_for_what_is_being_aborted(project: Project) -> None:
    project.write(
        slow="""
            @defer
            async def slow():
                try:
                    note("began", current_execution().id)
                    await asyncio.sleep(600)
                finally:
                    await until_noted("go")
                    note("finally")
        """
    )
    project.app("from defer.slow import slow\nslow()")
    runner = project.start("--burst", "--workers", "1")
    (id,) = project.until_noted("began")
    with runner.client() as client, ThreadPoolExecutor(1) as pool:
        abort(client, id)
        end = pool.submit(client.wait, id)
        was_running = runner.process.poll() is None
        project.note("go")
        code = runner.wait()

    assert (was_running, end.result(), code) == (True, "aborted", 0)
    assert project.noted("finally") == [""]
    assert project.counts() == {("slow", State.ABORTED): 1}


@pytest.mark.slow
def test_a_stop_leaves_nothing_aborting(project: Project) -> None:
    project.write(stubborn=STUBBORN, bystander=BYSTANDER)
    with project.run("--workers", "1", "--grace", "1s") as runner, runner.client() as client:
        (bystander,) = start(project, client, "bystander", 1, noted="bystander")
        ids = start(project, client, "stubborn", 3)
        abort(client, *ids)
        code = runner.stop()

    assert code == 0
    assert project.counts() == {("stubborn", State.ABORTED): 3, ("bystander", State.CREATED): 1}
    assert (project.outcomes(bystander), project.get(bystander).charged) == (["interrupt"], 0)


def test_what_a_killed_runner_was_aborting_is_aborted_by_the_next_and_never_run_again(project: Project) -> None:
    project.write(stubborn=STUBBORN, bystander=BYSTANDER)
    with project.run("--workers", "1") as runner, runner.client() as client:
        (bystander,) = start(project, client, "bystander", 1, noted="bystander")
        ids = start(project, client, "stubborn", 3)
        abort(client, *ids)
        project.until_noted("swallowed", 3)
        runner.kill()
    project.note("go")
    with project.run("--workers", "1") as runner, runner.client() as client:
        ends = [client.wait(id) for id in [*ids, bystander]]

    assert ends == ["aborted"] * 3 + ["succeed"]
    assert len(project.noted("began")) == 3
    assert 'message="executions of a runner that has ended are run again" count=1' in runner.output
    assert 'message="executions that a runner was aborting when it ended are aborted" count=3' in runner.output


def test_one_that_waits_for_its_retry_is_cancelled_though_forced(project: Project) -> None:
    project.write(
        failing="""
            @defer(retry={'max_attempts': 1, 'initial_interval': 600})
            async def failing():
                raise ValueError
        """
    )
    with project.run("--workers", "1") as runner, runner.client() as client:
        id = client.call("failing")
        runner.until_line("will be retried", id)
        (answer,) = abort(client, id)

    assert answer["execution"]["state"] == "cancelled"
    assert (project.get(id).state, project.outcomes(id)) == (State.CANCELLED, ["retry"])


def test_a_worker_that_is_killed_while_it_aborts_leaves_nothing_aborting(project: Project) -> None:
    project.write(stubborn=STUBBORN, bystander=BYSTANDER)
    with project.run("--workers", "1") as runner, runner.client() as client:
        (bystander,) = start(project, client, "bystander", 1, noted="bystander")
        ids = start(project, client, "stubborn", 3)
        abort(client, *ids)
        project.until_noted("swallowed", 3)
        project.note("go")
        os.kill(runner.worker_pids()[0], signal.SIGKILL)
        ends = [client.wait(id) for id in [*ids, bystander]]

    assert ends == ["aborted"] * 3 + ["succeed"]
    assert project.outcomes(bystander)[-1] == "succeed"
