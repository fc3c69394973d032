"""A stop drains, then interrupts, loses nothing and leaves nothing started."""

from __future__ import annotations

import signal
import threading

import pytest

from defer_cli.domain.states import State
from tests.process.harness import Project, is_alive, until

pytestmark = pytest.mark.process

SHORT = """
    @defer
    async def short():
        note("short")
        await until_noted("go")
        return 1
"""
LONG = """
    @defer
    async def long():
        note("long")
        await asyncio.sleep(60)
"""
DEAF = """
    @defer
    async def deaf():
        note("deaf")
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                note("heard")
"""


def test_a_stop_lets_what_runs_end(project: Project) -> None:
    project.write(short=SHORT)
    with project.run("--workers", "1") as runner, runner.client() as client:
        id = client.call("short")
        project.until_noted("short")
        runner.signal()
        project.note("go")
        code = runner.wait()

    assert code == 0
    assert project.get(id).state is State.SUCCEED


def test_a_stop_starts_nothing_new(project: Project) -> None:
    project.write(short=SHORT.replace("@defer", "@defer(concurrency=1)"))
    with project.run("--workers", "1") as runner, runner.client() as client:
        client.calls("short", [[], []])
        project.until_noted("short")
        runner.signal()
        project.note("go")
        runner.wait()

    assert project.noted("short") == [""]
    assert project.in_state(State.CREATED) == 1


def test_what_runs_longer_than_the_grace_is_interrupted_uncharged(project: Project) -> None:
    project.write(long=LONG)
    with project.run("--workers", "1", "--grace", "0.2s") as runner, runner.client() as client:
        id = client.call("long")
        project.until_noted("long")
        pids = runner.worker_pids()
        code = runner.stop()
    execution = project.get(id)

    assert code == 0
    assert (execution.state, execution.attempt, execution.charged) == (State.CREATED, 1, 0)
    assert project.outcomes(id) == ["interrupt"]
    assert not any(is_alive(pid) for pid in pids)


def test_what_was_interrupted_runs_first_at_the_next_start(project: Project) -> None:
    project.write(
        long="""
        @defer(concurrency=1)
        async def long(name):
            note("long", name)
            if name == "first" and current_execution().attempt == 1:
                await asyncio.sleep(60)
        """
    )
    with project.run("--workers", "1", "--grace", "0.1s") as runner, runner.client() as client:
        client.calls("long", [["first"], ["second"]])
        project.until_noted("long")
        runner.stop()
    project.burst("--workers", "1")

    assert project.noted("long") == ["first", "first", "second"]


def test_a_second_signal_stops_at_once(project: Project) -> None:
    project.write(deaf=DEAF)
    with project.run("--workers", "1", "--grace", "60s") as runner, runner.client() as client:
        id = client.call("deaf")
        project.until_noted("deaf")
        runner.signal()
        runner.signal(signal.SIGINT)
        code = runner.wait(seconds=10)

    assert code == 0
    assert (project.get(id).state, project.get(id).charged) == (State.CREATED, 0)


def test_a_signal_during_the_start_is_obeyed(project: Project) -> None:
    project.write(short=SHORT)
    runner = project.start("--workers", "1")
    lock = project.data / "runner.lock"
    until(lambda: lock.exists() and lock.read_text(), "the lock is held")
    runner.signal()

    assert runner.wait() in {0, -signal.SIGTERM}


def test_a_stop_under_load_is_prompt_and_loses_nothing(project: Project) -> None:
    project.write(
        busy="""
        @defer
        async def busy(number):
            await asyncio.sleep(number % 7 / 100)
            if number % 50 == 0:
                await asyncio.sleep(60)
        """
    )
    accepted: list[str] = []
    with project.run("--workers", "2", "--grace", "1s") as runner:

        def press() -> None:
            with runner.client() as client:
                try:
                    for start in range(0, 100_000, 20):
                        accepted.extend(client.calls("busy", [[start + number] for number in range(20)]))
                except (OSError, ConnectionError):
                    return

        threads = [threading.Thread(target=press) for _ in range(3)]
        for thread in threads:
            thread.start()
        until(lambda: len(accepted) >= 1_000, "a thousand calls were accepted")
        code = runner.stop(seconds=1 + 6)
        for thread in threads:
            thread.join()

    assert code == 0
    assert project.in_state(State.STARTED, State.ABORTING) == 0
    with project.reader() as reader:
        assert [id for id in accepted if reader.get(id) is None] == []


def test_a_stop_does_not_wait_for_what_waits_for_calls_that_no_longer_start(project: Project) -> None:
    project.write(
        child="""
            @defer(concurrency=1)
            async def child(n):
                note("child")
                await until_noted("go")
        """,
        parent="""
            from .child import child

            @defer
            async def parent():
                await asyncio.gather(*[await_result(child)(n) for n in range(5)])
        """,
    )
    with project.run("--workers", "1", "--grace", "60s") as runner, runner.client() as client:
        id = client.call("parent")
        project.until_noted("child")
        runner.signal()
        project.note("go")
        code = runner.wait()

    assert code == 0
    assert project.get(id).state is State.CREATED
